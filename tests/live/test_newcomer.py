# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A person who never saw the tool is given the screen of five recordings (newcomer.py), and asked: does something leak, of
which class, whose is it, how fast; and of what looks alike: why is that none? This is the script of it: each question
with the keys that are pressed before it, and what must stand on the screen so that anyone can answer. Only keys that the
screen itself names are pressed.

To hold it with a person: python3 tests/live/test_newcomer.py FOLDER writes the recordings, and prints the questions.
"""

import re
from dataclasses import dataclass

import pytest

import newcomer
from tmux import Tmux


@dataclass
class Asked:
    """A question. Each of `seen` is in one line of the screen, so that what belongs together stands together."""
    question: str
    seen: tuple  # regular expressions
    keys: tuple = ()
    unseen: tuple = ()  # what would mislead


@dataclass
class Case:
    name: str
    asked: tuple


CASES = [
    Case("by_class", (
        Asked("Does something leak, whose is it, how fast?", (r"^LEAK  libstore\.so Index::put \+240/min", r"^>GROWING +240 .*\+4\.0/s .*Entry .*Index::put")),
        Asked("Which class leaks, through how many places, how fast together?", (r"^>GROWING +360 +\+6\.0/s .* 2 .*(acme\.store\.)?Entry$",), ("4",)),
        Asked("As many strings are live. Do they leak?", (r"^ bounded +360 +0/s .*String$",), unseen=(r"GROWING.*String",)),
    )),
    Case("twins", (
        Asked("Does something leak, of which class, whose is it, how fast?",
              (r"^LEAK  libcodec\.so Frame::hold \+180/min", r"^>GROWING +180 +\+3\.0/s .*Frame .*Frame::hold ←Player\.java:131$")),
        Asked("The same function stands there twice. Where do they differ, and why is the other one none?", (r"^ clean +0 +0/s .*Frame::hold ←Player\.java:118$",)),
        Asked("By which way does the leak come there?", (r"com\.acme\.video\.Player\.show Player\.java:131", r"3 acquired.*0 released|180 acquired"), ("Enter",)),
    )),
    Case("cache", (
        Asked("Does something leak?", (r"^CLEAN  nothing grows: 3 sites",), unseen=(r"LEAK", r"GROWING")),
        Asked("What holds most, of which class, and why is it no leak?", (r"^>bounded +2,000 +0/s .*Page +.*Cache::get",)),
        Asked("What are the six that stay?", (r"^ cached-once +6 +0/s .*Class +.*Cache::init",)),
    )),
    Case("held", (
        Asked("Does something leak? What else is wrong, and whose is it?",
              (r"^WARNING  held-critical 30 times by libcodec\.so Mixer::mix; no leak known", r"findings 1 "), unseen=(r"^LEAK", r"^CLEAN")),
        Asked("How long was it held, in which line, and what is to be done?",
              (r"held-critical, 30 times, GetPrimitiveArrayCritical at codec::Mixer::mi", r"is held for 1,900 ms", r"com\.acme\.audio\.Mixer\.mix Mixer\.java:88",
               r"Keep it as|short as possible"), ("f",)),
        Asked("Another line does the same far more often. Is it named?", (r"findings 1 ",), unseen=(r"peek", r"Mixer\.java:97")),
    )),
    Case("sick", (
        Asked("Three processes: which one leaks, what, how fast?",
              (r"^LEAK  PID 7002: libstore\.so Session::open \+360/min", r"^>GROWING +7002 +360 +\+6\.0/s .*com\.acme\.Shop$")),
        Asked("The others run the same program. How are they?", (r"^ bounded +7001 +5,000 +0/s ", r"^ bounded +7003 +25 +0/s ")),
        Asked("Of which class is the leak, and where?", (r"^jnitrace 7002 com\.acme\.Shop", r"^>GROWING +360 .*Session", r"Session\.open Session\.java:64"), ("Enter",)),
    )),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("columns, rows", [(80, 24), (120, 40)])
def test_what_a_newcomer_must_find(case, columns, rows, tmp_path):
    file = getattr(newcomer, case.name)(tmp_path / "seen.jtr")
    with Tmux(columns, rows, "report", file) as t:
        t.until(f"moment {newcomer.SECONDS} of {newcomer.SECONDS}")
        for asked in case.asked:
            t.keys(*asked.keys)

            def answers(screen, asked=asked):
                return all(re.search(seen, screen, re.M) for seen in asked.seen)
            try:
                screen = t.until(answers)
            except AssertionError as e:
                missing = [seen for seen in asked.seen if not re.search(seen, t.screen(), re.M)]
                raise AssertionError(f"{asked.question} Not on the screen: {missing}\n{t.screen()}") from e
            for misleading in asked.unseen:
                assert not re.search(misleading, screen, re.M), f"{asked.question} Misleading: {misleading}\n{screen}"


if __name__ == "__main__":
    import sys
    for each in CASES:
        print(f"\n{getattr(newcomer, each.name)(f'{sys.argv[1]}/{each.name}.jtr')}: jnitrace report {each.name}.jtr")
        for one in each.asked:
            print(f"  {one.question}{' (press ' + ' '.join(one.keys) + ' first)' if one.keys else ''}")
