"""A check's report for people: tables, one line a problem, notes in brief."""

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from acr_lightning.data_care.finding import Report

NOTES_OF_A_KIND = 5


def print_report(report: Report) -> None:
    """Print a report to standard output."""
    console = Console()
    # A pipe has no width; a line that is broken there cannot be searched.
    wide = console if console.is_terminal else Console(width=200)
    for title, rows in report.tables.items():
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(rows[0] if rows else ()):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*map(str, row.values()))
        wide.print(table)
    by_kind = defaultdict(list)
    for note in report.notes:
        by_kind[note.kind].append(note)
    for kind, notes in by_kind.items():
        print(f"note: {kind}: {len(notes)}, which may be meant so")
        for note in notes[:NOTES_OF_A_KIND]:
            print(f"  {note.line()}")
        if len(notes) > NOTES_OF_A_KIND:
            print("  … all with --json FILE")
    for problem in report.problems:
        print(problem.line())
    print(f"{len(report.problems)} problems, {len(report.notes)} notes")
