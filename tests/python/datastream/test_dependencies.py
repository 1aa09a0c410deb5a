"""Files, archives, packages and cached files for functions."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pyflink.common import Configuration
from pyflink.datastream import MapFunction, SourceFunction, StreamExecutionEnvironment


@pytest.fixture
def env(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("_PYTHON_WORKING_DIR", "")
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def collected(stream):
    with stream.execute_and_collect() as results:
        return list(results)


def importing(name):
    def value(_):
        return __import__(name).VALUE

    return value


def test_a_python_file_can_be_imported_by_functions(env, tmp_path):
    (tmp_path / "flott_extra_file.py").write_text("VALUE = 'of a file'\n")
    env.add_python_file(str(tmp_path / "flott_extra_file.py"))
    stream = env.from_collection([1]).map(importing("flott_extra_file"))
    assert collected(stream) == ["of a file"]


def test_of_a_file_its_neighbours_are_not_exposed(env, tmp_path):
    (tmp_path / "flott_extra_alone.py").write_text(
        "from pathlib import Path\nVALUE = Path(__file__).resolve().parent.name\n"
    )
    (tmp_path / "flott_extra_neighbour.py").write_text("VALUE = 1\n")
    (tmp_path / "colorsys.py").write_text("VALUE = 'hides the library'\n")
    env.add_python_file(str(tmp_path / "flott_extra_alone.py"))
    before = len(sys.path)
    env.add_python_file(str(tmp_path / "flott_extra_alone.py"))
    assert len(sys.path) == before, "once is enough"
    assert tmp_path.name == __import__("flott_extra_alone").VALUE
    assert not hasattr(__import__("colorsys"), "VALUE")
    with pytest.raises(ImportError):
        __import__("flott_extra_neighbour")


def test_so_can_a_folder_and_a_zip_archive(env, tmp_path):
    package = tmp_path / "folder" / "flott_extra_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 'of a package'\n")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("flott_extra_zipped.py", "VALUE = 'of a zip'\n")
    env.add_python_file((tmp_path / "folder").as_uri())
    env.configure(Configuration().set_string("python.files", str(tmp_path / "packed.zip")))
    values = env.from_collection(["flott_extra_package", "flott_extra_zipped"])
    assert collected(values.map(lambda name: __import__(name).VALUE)) == [
        "of a package",
        "of a zip",
    ]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_functions_find_archives_in_their_working_directory(env, tmp_path, kind):
    (tmp_path / "data.txt").write_text("inside\n")
    archive = tmp_path / f"packed.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(tmp_path / "data.txt", "sub/data.txt")
    else:
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(tmp_path / "data.txt", "sub/data.txt")
    env.add_python_archive(str(archive))
    env.add_python_archive(str(archive), "named")

    class Reading(MapFunction):
        def open(self, runtime_context):
            self.first = Path("named/sub/data.txt").read_text()

        def map(self, value):
            return self.first + Path(value, "sub", "data.txt").read_text()

    before = Path.cwd()
    env.set_parallelism(2)
    results = collected(env.from_collection([archive.name, "named"]).rebalance().map(Reading()))
    assert results == ["inside\ninside\n"] * 2
    assert Path.cwd() == before


def test_sources_in_python_find_them_too(env, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("data.txt", "inside")
    env.configure(Configuration().set_string("python.archives", f"{tmp_path / 'a.zip'}#data"))

    class Reading(SourceFunction):
        def run(self, ctx):
            ctx.collect(Path("data/data.txt").read_text())

    assert collected(env.add_source(Reading())) == ["inside"]


def test_relative_paths_of_connectors_stay_the_programs(env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("a\n")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("data.txt", "inside")
    env.add_python_archive("a.zip")
    assert collected(env.read_text_file("lines.txt")) == ["a"]


def test_what_is_no_archive_says_so(env, tmp_path):
    (tmp_path / "a.zip").write_text("no archive")
    env.add_python_archive(str(tmp_path / "a.zip"))
    with pytest.raises(ValueError, match=r"a\.zip is no archive; use a zip, tar"):
        collected(env.from_collection([1]))


def test_an_archive_cannot_write_elsewhere(env, tmp_path):
    (tmp_path / "data.txt").write_text("outside")
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        packed.add(tmp_path / "data.txt", "../../outside.txt")
    env.add_python_archive(str(tmp_path / "a.tar"))
    with pytest.raises(Exception, match="outside"):
        collected(env.from_collection([1]))


def wheel(folder, name, value):
    """The smallest wheel that pip installs."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{name}.py", f"VALUE = {value!r}\n")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "")
    return folder


def test_requirements_are_installed_from_a_folder_of_downloads(env, tmp_path):
    downloads = wheel(tmp_path / "downloads", "flott_required", "of a wheel")
    (tmp_path / "requirements.txt").write_text("flott_required\n")
    env.set_python_requirements(str(tmp_path / "requirements.txt"), str(downloads))
    stream = env.from_collection([1]).map(importing("flott_required"))
    assert collected(stream) == ["of a wheel"]
    (folder,) = (tmp_path / "cache" / "flott" / "requirements").iterdir()
    written = folder.stat().st_mtime_ns
    again = env.from_collection([1]).map(importing("flott_required"))
    assert collected(again) == ["of a wheel"]
    assert folder.stat().st_mtime_ns == written


def test_requirements_that_are_not_there_say_what_pip_said(env, tmp_path):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "requirements.txt").write_text("flott_nowhere\n")
    setting = f"{tmp_path / 'requirements.txt'}#{tmp_path / 'downloads'}"
    env.configure(Configuration().set_string("python.requirements", setting))
    with pytest.raises(RuntimeError, match=r"cannot be installed:[\s\S]*flott_nowhere"):
        collected(env.from_collection([1]))


def test_cached_files_are_known_by_name(env, tmp_path):
    (tmp_path / "a.txt").write_text("cached")
    env.register_cached_file(str(tmp_path / "a.txt"), "mine")

    class Reading(MapFunction):
        def open(self, runtime_context):
            self.cache = runtime_context.get_distributed_cache()

        def map(self, value):
            return Path(self.cache.get_file(value)).read_text()

    assert collected(env.from_collection(["mine"]).map(Reading())) == ["cached"]
    with pytest.raises(ValueError, match="no cached file is called 'other'"):
        collected(env.from_collection(["other"]).map(Reading()))


def test_cached_files_may_be_listed_in_the_settings(env, tmp_path):
    odd = tmp_path / "it's; a, file.txt"
    odd.write_text("odd")
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\necho it ran\n")
    quoted = str(odd).replace("'", "''")
    setting = f"name:odd,path:'{quoted}';name:run,path:'{script.as_uri()}',executable:true"
    env.configure(Configuration().set_string("pipeline.cached-files", setting))

    class Using(MapFunction):
        def open(self, runtime_context):
            self.cache = runtime_context.get_distributed_cache()

        def map(self, value):
            path = self.cache.get_file(value)
            if value == "odd":
                return Path(path).read_text()
            return subprocess.run([path], capture_output=True, text=True, check=True).stdout

    assert collected(env.from_collection(["odd", "run"]).map(Using())) == ["odd", "it ran\n"]
    assert not os.access(script, os.X_OK), "the program's own file stays as it is"


@pytest.mark.parametrize(
    "use",
    [
        lambda env: env.add_python_file("/nowhere/a.py"),
        lambda env: env.add_python_archive("/nowhere/a.zip"),
        lambda env: env.set_python_requirements("/nowhere/requirements.txt"),
        lambda env: env.register_cached_file("/nowhere/a.txt", "a"),
    ],
)
def test_files_that_are_not_there_fail_at_once(env, use):
    with pytest.raises(FileNotFoundError, match="there is no file '/nowhere/"):
        use(env)


def test_the_executable_is_what_functions_see(env, monkeypatch):
    monkeypatch.setenv("python", "before")
    env.configure(Configuration().set_string("python.executable", "/usr/bin/python3"))
    stream = env.from_collection([1]).map(lambda _: os.environ["python"])  # noqa: SIM112
    assert collected(stream) == ["/usr/bin/python3"]
