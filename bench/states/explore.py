"""Exploration of the render thread's states: none may leave a request without an answer.

All orders of requests, disturbances and steps of the other threads are tried, within the bounds of
a model. From every state that is found, several futures are tried: everything goes on, only the
render thread does, or nothing does.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.figure import Figure
from bench.states.world import REQUESTS, Model, World
from warm.render.watchdog import LONG_TIMEOUT_S

MODELS = (
    Model({"speak a": 2, "speak b": 1, "interrupt a": 1}, 0),
    Model({"speak a": 1, "speak b": 1}, 1),
    Model({"speak a": 1, "interrupt a": 1}, 1),
    Model({"speak a": 1, "reset a": 1}, 1),
    Model({"speak a": 2}, 1),
    Model({"speak a": 1}, 2),
    Model({"grow a": 1}, 1),
    Model({"grow a": 1, "pause": 1}, 0),
    Model({"grow a": 1, "interrupt a": 1}, 0),
    Model({"grow a": 1, "speak b": 1}, 0),
)
"""The models that the benchmark explores completely."""
WIDE = Model(dict.fromkeys(REQUESTS, 2), 4)
"""A model that is too large to be explored; random histories of it are tried."""
HISTORIES = 300
LENGTH = 40
"""Number and length of the random histories."""
LEAST_STATES = 10_000
"""States of the models together; fewer would mean that the simulated world has stopped working."""
ROUNDS = 60
"""Rounds of every thread after which the requests must have answers."""
WAIT_S = LONG_TIMEOUT_S / 30
"""Time that passes in a round without progress."""

MakeWorld = Callable[[], World]


@dataclass(frozen=True, slots=True)
class Future:
    """A way in which the world may go on."""

    name: str
    advance: Callable[[World], None]
    is_done: Callable[[World], bool]

    def answers(self, world: World, known: set[Hashable]) -> bool:
        """Return True if it leads to answers, or to a state from which it is `known` to."""
        path: list[Hashable] = []
        for _ in range(ROUNDS):
            state = world.state()
            if state in known or self.is_done(world):
                known.update(path)
                return True
            path.append(state)
            self.advance(world)
        return self.is_done(world)


def go_on(world: World) -> None:
    """Run all parts of the world for a second."""
    for part in world.progress():
        if part in world.progress():  # another part may have used it up
            world.act(part)
    world.wait(1.0)


def hang(world: World) -> None:
    """Let time pass while no other thread and no disk responds."""
    if not world.is_over:
        world.act("turn")
    world.wait(WAIT_S)


def stand_still(world: World) -> None:
    """Let time pass while the render thread does not respond either."""
    world.wait(WAIT_S)


def jobs_are_over(world: World) -> bool:
    """True if every request to speak is answered; commands have a limit of their own."""
    return all(job.is_over for job in world.jobs)


FUTURES = (
    Future("everything goes on", go_on, World.is_settled),
    Future("only the render thread goes on", hang, jobs_are_over),
    Future("nothing goes on", stand_still, jobs_are_over),
)


@dataclass(slots=True)
class Exploration:
    """States found so far."""

    make: MakeWorld = World
    seen: set[Hashable] = field(default_factory=set)
    stuck: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """States without an exit: the future that was tried, and the actions that lead to the state."""
    is_complete: bool = True
    """False if a limit stopped the exploration."""
    answered: dict[str, set[Hashable]] = field(default_factory=dict)
    """States from which all requests are answered, by the name of the future."""

    def replay(self, history: tuple[str, ...]) -> World:
        """Return a new world after these actions."""
        world = self.make()
        for action in history:
            world.act(action)
        return world

    def visit(self, history: tuple[str, ...]) -> World | None:
        """Return the world after these actions, and try its futures; None if it is known."""
        world = self.replay(history)
        state = world.state()
        if state in self.seen:
            return None
        self.seen.add(state)
        for future in () if world.is_settled() else FUTURES:
            known = self.answered.setdefault(future.name, set())
            if not future.answers(self.replay(history), known):
                self.stuck.append((future.name, history))
        return world


def measure(_out: Path) -> list[Figure]:
    """Explore the models, and random histories of a wider one."""
    with quiet():
        explored = [explore(model) for model in MODELS]
        wide = sample(WIDE, histories=HISTORIES, length=LENGTH, seed=1)
    states = sum(len(each.seen) for each in explored)
    stuck = sum(len(each.stuck) for each in [*explored, wide])
    n = states + len(wide.seen)
    name = "states of requests in the render thread: {}"
    return [
        Figure.at_least(name.format("explored"), states, "states", LEAST_STATES, states),
        Figure.at_least(
            name.format("of random histories"), len(wide.seen), "states", HISTORIES / 2, HISTORIES
        ),
        Figure.at_most(name.format("without exit"), stuck, "states", 0, n),
    ]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep thousands of simulated failures out of the log."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def explore(model: Model, *, max_states: int | None = None, make: MakeWorld = World) -> Exploration:
    """Visit every state of a model, the shortest histories first."""
    found = Exploration(make)
    histories: deque[tuple[str, ...]] = deque([()])
    while histories:
        if max_states is not None and len(found.seen) >= max_states:
            found.is_complete = False
            break
        history = histories.popleft()
        world = found.visit(history)
        if world is not None:
            histories += [(*history, action) for action in world.enabled(model)]
    return found


def sample(
    model: Model, *, histories: int, length: int, seed: int, make: MakeWorld = World
) -> Exploration:
    """Visit the ends of random histories."""
    found, chance = Exploration(make, is_complete=False), random.Random(seed)
    for _ in range(histories):
        world = make()
        history: tuple[str, ...] = ()
        for _ in range(chance.randint(1, length)):
            actions = world.enabled(model)
            if not actions:
                break
            history = (*history, chance.choice(actions))
            world.act(history[-1])
        found.visit(history)
    return found
