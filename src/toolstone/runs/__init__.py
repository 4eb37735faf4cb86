"""How one run goes: plan, state, steps, budget, loop, stream. Knows no wire."""
