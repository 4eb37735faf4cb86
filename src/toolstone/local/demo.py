"""The task of `toolstone demo`: two plain functions, a typed report, twenty ways to ask for it."""

from pydantic import BaseModel

__all__ = ["CITIES", "REQUESTS", "Report", "population", "weather"]

CITIES: dict[str, tuple[float, int]] = {
    "amsterdam": (11.5, 921_000),
    "athens": (22.4, 643_000),
    "berlin": (9.8, 3_755_000),
    "cairo": (29.1, 10_203_000),
    "dublin": (10.2, 592_000),
    "helsinki": (1.5, 675_000),
    "lisbon": (18.6, 568_000),
    "london": (12.3, 8_866_000),
    "madrid": (17.4, 3_332_000),
    "nairobi": (21.7, 4_397_000),
    "oslo": (3.2, 717_000),
    "paris": (14.5, 2_103_000),
    "prague": (8.9, 1_385_000),
    "rome": (19.2, 2_755_000),
    "stockholm": (4.6, 989_000),
    "sydney": (23.8, 5_451_000),
    "tokyo": (16.1, 14_178_000),
    "vienna": (10.7, 2_028_000),
    "warsaw": (7.3, 1_862_000),
    "zurich": (9.1, 443_000),
}
"""Temperature and number of inhabitants, made up to look likely."""


class Report(BaseModel):
    """What is known about a city."""

    city: str
    temp_c: float
    population: int


async def weather(city: str) -> float:
    """Current temperature in Celsius.

    Args:
        city: Name of the city.
    """
    return CITIES.get(city.strip().lower(), (15.0, 0))[0]


def population(city: str) -> int:
    """Number of inhabitants.

    Args:
        city: Name of the city.
    """
    return CITIES.get(city.strip().lower(), (0.0, 100_000))[1]


REQUESTS = (
    "Report on Paris",
    "Tell me about Rome.",
    "Write a short report about Oslo.",
    "How warm is it in Berlin and how many people live there?",
    "I need the temperature and the population of Madrid.",
    "Give me the facts on Vienna, please.",
    "What are the weather and the population of Tokyo?",
    "Could you make a report for the city of Lisbon?",
    "London: weather and inhabitants",
    "What do we know about Athens?",
    "Please look up Prague for me.",
    "How many inhabitants does Dublin have, and what is the temperature?",
    "We fly to Helsinki tomorrow. Report on it.",
    "Population and current temperature of Warsaw",
    "My boss wants a report on Cairo.",
    "Weather in Zurich and number of people who live in Zurich",
    "Stockholm, please.",
    "Prepare a summary for Sydney.",
    "Is it cold in Amsterdam? And how big is the population?",
    "I am writing about Nairobi and need its temperature and population.",
)
"""Different on purpose; the brain was tuned on other wordings."""
