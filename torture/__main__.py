"""`python -m torture`: tries hard to lose a result, to get a traceback, and to have something executed."""

import argparse
import sys
import tempfile
from pathlib import Path

from torture.commands import prepare, remove


def main() -> int:
    """Run all trials; 1 if anything was lost, unclear or executed, or an attack was of no use."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--seed", default="0", help="of everything; a trial's own is printed with it")
    parser.add_argument("--kills", type=int, default=100, help="at least so many signals")
    parser.add_argument("--inputs", type=int, default=1000, help="so many damaged files, odd values and bad days")
    parser.add_argument("--attacks", type=int, default=1000, help="at most so many, of each place the first")
    parser.add_argument("--pairs", type=int, default=10, help="of commands, of devices; of full disks half as many")
    parser.add_argument("--folder", type=Path, help="for everything; removed where nothing is wrong")
    parser.add_argument("--ranks", type=int, default=18, help="kills of one of two ranks, each stage in turn")
    options = parser.parse_args()
    prepare()  # before anything else is imported: commands are copies of this process
    from torture.attacks import attack
    from torture.chain import experiment, experiment_of_ranks, make_baseline
    from torture.inputs import damage
    from torture.kills import devices_trial, disk_trial, kill_trial, pair_trial, shard_trial
    from torture.ranks import chain_trial, rank_trial
    from torture.tally import Tally

    folder = options.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    made = make_baseline(folder.resolve(), experiment())
    tally.say(f"uninterrupted: {', '.join(f'{name} {took:.1f} s' for name, took in made.seconds.items())}")
    number = 0
    while tally.kills < options.kills:
        number += 1
        trial = shard_trial if number % 8 == 0 else kill_trial
        trial(made, f"{trial.__name__}-{options.seed}-{number}", tally)
    for number in range(options.pairs):
        pair_trial(made, f"pair-{options.seed}-{number}", tally)
        devices_trial(made, f"devices-{options.seed}-{number}", tally)
        if number % 2:
            disk_trial(made, f"disk-{options.seed}-{number}", tally)
    if options.ranks:
        ranks_folder = folder.resolve() / "ranks"
        ranks_folder.mkdir()
        of_one = make_baseline(ranks_folder, experiment_of_ranks(), tolerance=1e-9)
        chain_trial(of_one, "whole", tally)
        for number in range(options.ranks):
            rank_trial(of_one, number, f"rank-{options.seed}-{number}", tally)
    attack(made, options.attacks, tally)
    damage(made, options.inputs, options.seed, tally)
    if not tally.failed:
        remove(folder)
    print(tally.table())
    print(tally.figures())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
