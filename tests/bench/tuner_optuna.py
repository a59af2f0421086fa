#!/usr/bin/python3
"""Optuna's TPE on the landscapes of bench_tuner, which serves their costs.

usage: tuner_optuna.py BENCH_TUNER BUDGET

Prints "KIND EVALUATIONS" a line, inf where it did not come within 5 %. It
starts, as the tuner does, from the user's own setting.
"""
import subprocess
import sys

import optuna

KINDS = ("gcc", "sqlite", "branin", "hartmann6", "nk20_3")
SEEDS = 3  # it takes about as long as all the rest of the bench


class Landscape:
    def __init__(self, bench, kind, seed):
        self.server = subprocess.Popen([bench, "serve", kind, str(seed)],
                                       stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.parameters = []
        for line in iter(self.server.stdout.readline, "\n"):
            kind, count, current = line.split()
            self.parameters.append((kind, int(count), int(current)))
        self.solved = False

    def suggest(self, trial):
        for i, (kind, count, _) in enumerate(self.parameters):
            if kind == "category":
                yield trial.suggest_categorical(str(i), list(range(count)))
            else:
                yield trial.suggest_int(str(i), 0, count - 1)

    def cost(self, trial):
        self.server.stdin.write(" ".join(map(str, self.suggest(trial))) + "\n")
        self.server.stdin.flush()
        cost, solved = self.server.stdout.readline().split()
        self.solved = solved == "1"
        return float(cost)

    def close(self):
        self.server.stdin.close()
        self.server.wait()


def solve(bench, kind, seed, budget):
    landscape = Landscape(bench, kind, seed)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({str(i): current for i, (_, _, current)
                         in enumerate(landscape.parameters)})

    def stop_when_solved(study, _):
        if landscape.solved:
            study.stop()

    study.optimize(landscape.cost, n_trials=budget, callbacks=[stop_when_solved])
    landscape.close()
    return len(study.trials) if landscape.solved else float("inf")


def main():
    bench, budget = sys.argv[1], int(sys.argv[2])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for kind in KINDS:
        for seed in range(SEEDS):
            print(kind, solve(bench, kind, seed, budget), flush=True)


if __name__ == "__main__":
    main()
