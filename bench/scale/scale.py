"""10,000 sessions over 500 GPUs, simulated from measured costs: delays, late fragments, losses."""

import statistics
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure as Plot

from bench.figure import Figure, p95
from bench.scale.costs import Costs
from bench.scale.head_cost import HeadCost, measure_head
from bench.scale.simulation import Outcome, Plan, Simulation

SESSIONS, GPUS = 10_000, 500
SHARES = (0.2, 0.3, 0.4, 0.5)
"""Shares of their time during which sessions speak; in a conversation it is about a third."""
LAYOUTS = ((500, 1), (125, 4))
"""Heads, and GPUs of each."""
MEASURED_LATE = {10: 1, 15: 13, 20: 438}
"""Late fragments of that many sessions on one H200, as docs/musetalk-speed.md has them."""
LOSSES_PER_HOUR = 600
"""One GPU of 500 every six seconds: far more often than in reality, to make the effect visible."""
FIRST_GOAL_MS = 300
LATE_GOAL_PER_1000 = 1.0


def measure(out: Path) -> list[Figure]:
    """Measure a head, simulate one GPU, then all; a plot of the delays goes to `out`."""
    head = measure_head()
    costs = Costs(head_frame_s=head.render_s)
    runs = {
        (heads, gpus, share): Simulation(cluster(heads, gpus, share), costs).run()
        for heads, gpus in LAYOUTS
        for share in SHARES
    }
    plot_delays(runs, out / "scale.png")
    lossy = replace(cluster(*LAYOUTS[0], SHARES[1]), losses_per_hour=LOSSES_PER_HOUR)
    return [
        *head_figures(head),
        *(agreement(sessions, costs) for sessions in MEASURED_LATE),
        *(figure for key, outcome in runs.items() for figure in described(key, outcome)),
        *described((*LAYOUTS[0], SHARES[1]), Simulation(lossy, costs).run(), ", GPUs are lost"),
    ]


def head_figures(head: HeadCost) -> list[Figure]:
    """Return the measured processor time of a head."""
    name = "a head whose mouths other machines draw, processor time a frame: "
    return [
        Figure.at_most(f"{name}render thread", 1000 * head.render_s, "ms", 1, head.frames),
        Figure.at_most(f"{name}all threads", 1000 * head.all_s, "ms", 5, head.frames),
    ]


def cluster(heads: int, gpus: int, share: float) -> Plan:
    """Return the plan of all sessions on these heads."""
    return Plan(
        sessions=SESSIONS, heads=heads, gpus_per_head=gpus, speaking_share=share, seconds=90
    )


def agreement(sessions: int, costs: Costs) -> Figure:
    """Simulate the measurement of one GPU; the goal is its result."""
    plan = Plan(
        sessions=sessions, heads=1, gpus_per_head=1, speaking_share=1, reply_s=12,
        starts_together=True, seconds=11, warm_up_s=0,
    )  # fmt: skip
    outcome = Simulation(plan, replace(costs, call_s=0)).run()
    name = f"simulated: {sessions} sessions on one H200: late fragments; the goal was measured"
    return Figure.at_most(name, outcome.late, "", MEASURED_LATE[sessions], outcome.fragments)


def described(key: tuple[int, int, float], outcome: Outcome, more: str = "") -> list[Figure]:
    """Return the delay and the late fragments of one simulated cluster."""
    heads, gpus, share = key
    name = f"simulated: {heads} heads x {gpus} GPU, {100 * share:.0f} % speaking{more}"
    first_ms = 1000 * p95(outcome.first_s)
    late = 1000 * outcome.late / max(outcome.fragments, 1)
    return [
        Figure.at_most(
            f"{name}: first fragment, p95", first_ms, "ms", FIRST_GOAL_MS, len(outcome.first_s)
        ),
        Figure.at_most(
            f"{name}: late of 1000 fragments", late, "", LATE_GOAL_PER_1000, outcome.fragments
        ),
    ]


def plot_delays(runs: dict[tuple[int, int, float], Outcome], path: Path) -> None:
    """Draw the percentiles of the time to the first fragment of each run."""
    plot = Plot(figsize=(8, 4.5), layout="constrained")
    axes = plot.subplots()
    percents = range(1, 100)
    for (heads, gpus, share), outcome in runs.items():
        times_ms = [1000 * value for value in statistics.quantiles(outcome.first_s, n=100)]
        label = f"{heads} x {gpus}, {100 * share:.0f} %"
        axes.plot(percents, times_ms, label=label, linestyle="-" if gpus == 1 else "--")
    axes.set(xlabel="per cent of the replies", ylabel="first fragment, ms", ylim=(0, 1000))
    axes.legend(title="heads x GPUs, speaking")
    plot.savefig(path)
