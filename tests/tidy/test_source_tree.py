"""Rules of the source tree itself: what may include what, and where a few things may appear.

Each test collects every offence and reports them together as `file:line: what is wrong`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CPP = ROOT / "cpp"

# STYLE's table: a folder may include itself and the folders before it, never one after it.
FOLDERS = [
    "base",
    "types",
    "checkpoint",
    "state",
    "formats",
    "runtime",
    "operators",
    "windows",
    "connectors",
    "graph",
    "job",
    "table",
    "bindings",
]
# Where threads are started: tasks, the job, the I/O of connectors. A task calls everything else.
THREAD_FOLDERS = {"runtime", "job", "connectors"}
THREAD_FILES = {
    "base/in_background.h",
    "base/log.cc",
    "state/heap/segment_chain.h",
    "state/heap/segment_chain.cc",
}
# Who may wait for time to pass. Everything else takes a Clock.
SLEEP_FOLDERS = {"runtime", "job", "connectors"}
SLEEP_FILES = {"base/clock.h", "base/clock.cc"}

# A test of what happens to a function that sleeps ends the line with this comment.
SLEEP_IS_THE_SUBJECT = "# tidy: sleeping is the subject"

BANNED_STEMS = re.compile(r"(^|_)(utils?|common|misc|helpers?)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
THREAD = re.compile(r"\bstd::(j?thread\b(?!::)|async\b)")  # std::thread::id is no new one
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|::sleep\s*\(")
PYTHON_HEADER = re.compile(r"^(Python\.h|pybind11/.*)$")


def cpp_files(*suffixes: str) -> list[Path]:
    """All C++ files under cpp/, headers and sources unless told otherwise."""
    wanted = suffixes or (".h", ".cc")
    return sorted(path for path in CPP.rglob("*") if path.suffix in wanted and path.is_file())


def code_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without // comments, so that prose may speak of anything."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        yield number, line.split("//", 1)[0] if "//" in line and '"' not in line else line


def folder_of(path: Path) -> str:
    return path.relative_to(CPP).parts[0]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def report(offences: list[str], rule: str) -> None:
    if offences:
        pytest.fail(f"{rule}\n" + "\n".join(offences), pytrace=False)


def test_each_cpp_folder_has_a_place_in_the_order() -> None:
    unknown = sorted({folder_of(path) for path in cpp_files()} - set(FOLDERS))
    report(
        [f"cpp/{folder}: not in FOLDERS" for folder in unknown],
        "Add a new folder to STYLE's table, to FOLDERS here and in CMakeLists.txt.",
    )


def test_the_build_knows_the_same_order() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    match = re.search(r"set\(FLOTT_FOLDERS\s+([^)]*)\)", text)
    assert match is not None
    assert match.group(1).split() == FOLDERS


def test_includes_point_up_the_list() -> None:
    offences = []
    for path in cpp_files():
        own = folder_of(path)
        for number, line in code_lines(path):
            match = INCLUDE.match(line)
            if match is None or match.group(1) == "<":
                continue
            target = match.group(2)
            top = target.split("/", 1)[0]
            where = f"{name_of(path)}:{number}"
            if "/" not in target or top not in FOLDERS:
                offences.append(f'{where}: "{target}" is not rooted at cpp/')
            elif own in FOLDERS and FOLDERS.index(top) > FOLDERS.index(own):
                offences.append(f'{where}: {own}/ must not include "{target}"')
    report(offences, f"A folder includes itself and those before it: {' '.join(FOLDERS)}")


def test_included_headers_exist() -> None:
    offences = []
    for path in cpp_files():
        for number, line in code_lines(path):
            match = INCLUDE.match(line)
            if match is None or match.group(1) == "<" or "/" not in match.group(2):
                continue
            if not (CPP / match.group(2)).is_file():
                offences.append(f"{name_of(path)}:{number}: no file cpp/{match.group(2)}")
    report(offences, "Includes are rooted at cpp/ and name existing files.")


def test_python_appears_only_in_bindings() -> None:
    offences = []
    for path in cpp_files():
        if folder_of(path) == "bindings":
            continue
        for number, line in code_lines(path):
            match = INCLUDE.match(line)
            if match and PYTHON_HEADER.match(match.group(2)):
                offences.append(f"{name_of(path)}:{number}: includes {match.group(2)}")
            elif "pybind11::" in line or re.search(r"\bPy(Object|Gil|GIL|_)\w*\b", line):
                offences.append(f"{name_of(path)}:{number}: speaks of Python: {line.strip()}")
    report(offences, "The engine builds without Python; only cpp/bindings sees it.")


@pytest.mark.parametrize(
    ("pattern", "folders", "files", "rule"),
    [
        (THREAD, THREAD_FOLDERS, THREAD_FILES, "A task is one thread; operators start none."),
        (SLEEP, SLEEP_FOLDERS, SLEEP_FILES, "Nothing sleeps: time comes in through a Clock."),
    ],
    ids=["threads", "sleeps"],
)
def test_threads_and_sleeps_appear_only_where_they_belong(
    pattern: re.Pattern[str], folders: set[str], files: set[str], rule: str
) -> None:
    offences = []
    for path in cpp_files():
        if folder_of(path) in folders or path.relative_to(CPP).as_posix() in files:
            continue
        offences += [
            f"{name_of(path)}:{number}: {line.strip()}"
            for number, line in code_lines(path)
            if pattern.search(line)
        ]
    report(offences, rule)


def test_no_test_sleeps() -> None:
    offences = []
    for root, glob, pattern in (
        ("tests/python", "*.py", re.compile(r"\btime\.sleep\(|\bfrom time import .*\bsleep\b")),
        ("tests/cpp", "*_test.cc", SLEEP),
        ("tests/harness", "*.*", SLEEP),
    ):
        for path in sorted((ROOT / root).rglob(glob)):
            if path.suffix not in {".py", ".h", ".cc"}:
                continue
            offences += [
                f"{name_of(path)}:{number}: {line.strip()}"
                for number, line in code_lines(path)
                if pattern.search(line) and SLEEP_IS_THE_SUBJECT not in line
            ]
    report(offences, "Tests advance the clock, step the executor or wait for a condition.")


def test_each_cpp_folder_has_a_readme_of_one_screen() -> None:
    offences = []
    for folder in sorted({folder_of(path) for path in cpp_files(".cc")}):
        readme = CPP / folder / "README.md"
        if not readme.is_file():
            offences.append(f"cpp/{folder}/README.md: missing")
            continue
        lines = len(readme.read_text(encoding="utf-8").splitlines())
        if not 20 <= lines <= 60:
            offences.append(f"cpp/{folder}/README.md: {lines} lines")
    report(offences, "Each folder's README.md (20-60 lines) names its front-door headers.")


def test_files_are_named_by_concept() -> None:
    offences = [
        f"{name_of(path)}: name it by what it holds"
        for path in cpp_files()
        if BANNED_STEMS.search(path.stem)
    ]
    # Upstream's own module names (pyflink.util, pyflink.common) are given; ours are not.
    offences += [
        f"{name_of(path)}: name it by what it holds"
        for root in ("tests", "examples", "bench", "tools")
        for path in sorted((ROOT / root).rglob("*.py"))
        if BANNED_STEMS.search(path.stem)
    ]
    report(offences, "No file is called utils, common, misc or helpers.")


def test_headers_are_guarded_once() -> None:
    offences = [
        f"{name_of(path)}: no #pragma once"
        for path in cpp_files(".h")
        if "#pragma once" not in path.read_text(encoding="utf-8")
    ]
    report(offences, "Headers begin with #pragma once.")


def test_listed_sources_exist_and_sources_are_listed() -> None:
    """The build lists sources; one that is not listed would silently not be compiled."""
    offences = []
    lists = {
        path.parent: path.read_text(encoding="utf-8")
        for root in ("cpp", "tests/cpp", "tests/harness")
        for path in (ROOT / root).rglob("CMakeLists.txt")
    }
    for root in ("cpp", "tests/cpp", "tests/harness"):
        for path in sorted((ROOT / root).rglob("*.cc")):
            owner = next((folder for folder in path.parents if folder in lists), None)
            if owner is None:
                offences.append(f"{name_of(path)}: no CMakeLists.txt above it")
                continue
            source = path.relative_to(owner).as_posix()
            words = re.split(r"[\s()]+", lists[owner])
            # A loop over names with SRCS ${name}.cc lists them without their ending.
            looped = "${name}.cc" in words and source.removesuffix(".cc") in words
            if source not in words and not looped:
                offences.append(f"{name_of(path)}: not listed in {name_of(owner)}/CMakeLists.txt")
    report(offences, "Sources are listed in the nearest CMakeLists.txt.")


def test_versions_agree() -> None:
    cmake = re.search(
        r"project\(flott VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    )
    package = re.search(
        r'^version = "([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )
    assert cmake is not None
    assert package is not None
    assert cmake.group(1) == package.group(1)
