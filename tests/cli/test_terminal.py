"""`toolstone run` and `chat` on a real pseudo-terminal: what a person sees, types and interrupts."""

import re

AGENTS = __file__.replace("test_terminal.py", "agents_under_test.py")


def agent(name):
    return f"{AGENTS}:{name}"


def session_in(text):
    return re.search(r"--session (run-[0-9a-f]{8}) --resume", text)[1]


def test_calls_are_shown_side_by_side_with_state_and_time(terminal):
    seen = terminal("run", agent("reporter"), "go", SHOWN="0.5")
    assert seen.end() == 0
    both = r'weather\(city="Paris"\) +0\.\d s looking outside\s+\S+ +population\(city="Paris"\)'
    assert re.search(both, seen.text)
    assert re.search(r'✓ weather\(city="Paris"\)  0\.\d\d s  21\.5', seen.text)
    assert re.search(
        r"2 calls side by side: \d\.\d\d s \(\d\.\d\d s one after another\)", seen.text
    )
    assert '"population": 2103000' in seen.text
    assert "2 requests, 20 tokens in, 10 out" in seen.text
    assert "\x1b[" in seen.raw.decode()


def test_what_a_model_says_cannot_steer_the_terminal(terminal):
    seen = terminal("run", agent("greeter"), "hi")
    assert seen.end() == 0
    assert "Hello \\x1b[31mthere." in seen.text
    seen = terminal("run", agent("failer"), "go")
    assert seen.end() == 0
    assert "✗ fails()" in seen.text
    assert "not \\x1b[31mtoday" in seen.text


def test_a_dumb_terminal_gets_plain_lines(terminal):
    seen = terminal("run", agent("greeter"), "hi", TERM="dumb")
    assert seen.end() == 0
    assert "there." in seen.text
    assert b"\x1b[?25l" not in seen.raw
    assert "asking" not in seen.text


def test_ctrl_c_exits_130_and_says_how_to_go_on_which_works(terminal):
    seen = terminal("run", agent("hanger"), "go")
    seen.wait_for("forever(n=1)")
    seen.interrupt()
    assert seen.end() == 130
    assert "stopped" in seen.text
    assert "0.0  forever(n=1)  (unknown)" in seen.text
    assert "Traceback" not in seen.text

    again = terminal("run", agent("homecomer"), "--session", session_in(seen.text), "--resume")
    again.wait_for("nobody knows how it ended")
    again.type("r\n")
    again.wait_for("Its result:")
    again.type("7\n")
    assert again.end() == 0
    assert "Home." in again.text


def test_a_waiting_call_is_asked_about_with_all_its_arguments(terminal):
    seen = terminal("run", agent("payer"), "pay")
    seen.wait_for('"amount": 5', "Run it? [y/n]")
    seen.type("what\n")
    seen.wait_for("Please answer with one of y, n")
    seen.type("y\n")
    assert seen.end() == 0
    assert "paid 5" in seen.text
    assert "Paid." in seen.text


def test_a_person_may_say_no_and_why(terminal):
    seen = terminal("run", agent("payer"), "pay")
    seen.wait_for("Run it?")
    seen.type("n\n")
    seen.wait_for("Why not?")
    seen.type("too much\n")
    assert seen.end() == 0
    assert "✗ pay(amount=5)" in seen.text
    assert "denied: too much" in seen.text


def test_a_deferred_call_takes_its_result_from_the_person(terminal):
    seen = terminal("run", agent("asker"), "ask")
    seen.wait_for("Its result:")
    seen.type("42\n")
    assert seen.end() == 0
    assert "Thanks." in seen.text


def test_ctrl_d_at_a_question_lets_it_wait(terminal):
    seen = terminal("run", agent("payer"), "pay")
    seen.wait_for("Run it?")
    seen.type("\x04")
    assert seen.end() == 3
    assert "The run waits for somebody" in seen.text


def test_a_question_in_a_chat_that_nobody_answers_is_asked_again(command):
    done = command("chat", agent("payer"), stdin="pay\n")
    assert (done.returncode, "it still waits; /resume asks again" in done.stderr) == (0, True)


def test_ctrl_c_at_a_question_leaves_the_session_waiting(terminal):
    seen = terminal("run", agent("payer"), "pay")
    seen.wait_for("Run it?")
    assert seen.interrupt_question() == 130
    again = terminal("run", agent("paid"), "--session", session_in(seen.text), "--resume")
    again.wait_for("Run it?")
    again.type("y\n")
    assert again.end() == 0


def test_a_chat_goes_on_until_quit(terminal):
    seen = terminal("chat", agent("greeter"))
    seen.wait_for("session run-", "> ")
    seen.type("hi\n")
    seen.wait_for("there.")
    seen.type("/help\n")
    seen.wait_for("/quit ends the chat")
    seen.type("more\n")
    seen.wait_for("And again.")
    seen.type("/quit\n")
    assert seen.end() == 0


def test_ctrl_c_in_a_chat_stops_the_run_and_not_the_chat(terminal):
    seen = terminal("chat", agent("hanger"))
    seen.wait_for("> ")
    seen.type("go\n")
    seen.wait_for("forever(n=1)")
    seen.interrupt()
    seen.wait_for("stopped; /resume goes on")
    seen.type("something new\n")
    seen.wait_for("approve, deny or settle them")
    seen.type("/resume\n")
    seen.wait_for("nobody knows how it ended")
    seen.type("f\n")
    seen.wait_for("What is the model told?")
    seen.type("it took too long\n")
    seen.wait_for("Home.", "> ")
    seen.type("\x04")
    assert seen.end() == 0


def test_ctrl_c_at_the_prompt_ends_the_chat(terminal):
    seen = terminal("chat", agent("greeter"))
    seen.wait_for("> ")
    assert seen.interrupt_question() == 130
    assert "Traceback" not in seen.text


def test_a_chat_reads_lines_from_a_pipe_too(command):
    done = command("chat", agent("greeter"), "--session", "talk", stdin="hi\nmore\n")
    assert (done.returncode, done.stdout) == (0, "Hello \x1b[31mthere.\nAnd again.\n")
    assert "To go on: toolstone chat" in done.stderr
