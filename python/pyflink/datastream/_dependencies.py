"""Files, archives and packages that functions need besides their own code."""

from __future__ import annotations

import os

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment

__all__ = ["CACHED_FILES", "DistributedCache", "alone", "executable_file", "existing", "prepare"]

CACHED_FILES = "pipeline.cached-files"
"""Name of the setting, and of the job parameter, that lists them as upstream writes it."""


def existing(path: str, what: str) -> str:
    """The absolute path of a file or folder, given as path or ``file:`` URI.

    :raises FileNotFoundError: when it is not there, naming the method `what`.
    :raises TypeError: when it is no path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{what} needs the path of a file, got {path!r}")
    text = os.fspath(path)
    if text.startswith("file:"):
        text = "/" + text[len("file:") :].lstrip("/")
    absolute = os.path.abspath(text)  # noqa: PTH100
    if not os.path.exists(absolute):  # noqa: PTH110
        raise FileNotFoundError(f"{what}: there is no file {path!r}")
    return absolute


def _own_folder(prefix: str) -> str:
    """A new folder that is removed when the program ends."""
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_alone: dict[str, str] = {}  # file -> the folder in which there is nothing else


def alone(path: str) -> str:
    """A folder with nothing but this file, so that its neighbours hide nobody's modules."""
    if path not in _alone:
        folder = _own_folder("flott-python-files-")
        link = os.path.join(folder, os.path.basename(path))  # noqa: PTH118, PTH119
        try:
            os.symlink(path, link)  # noqa: PTH211
        except OSError:  # a file system without links
            import shutil

            shutil.copy2(path, link)
        _alone[path] = folder
    return _alone[path]


def executable_file(path: str) -> str:
    """The file, or a copy that can be executed."""
    if os.access(path, os.X_OK):
        return path
    import shutil

    copy = os.path.join(_own_folder("flott-executables-"), os.path.basename(path))  # noqa: PTH118, PTH119
    shutil.copy2(path, copy)
    os.chmod(copy, os.stat(copy).st_mode | 0o111)  # noqa: PTH101, PTH116
    return copy


def prepare(env: StreamExecutionEnvironment, options: dict[str, Any]) -> None:
    """Installs and unpacks what the environment lists, and tells the job where it is."""
    if env._requirements is not None:
        import sys

        folder = install(*env._requirements)
        if folder not in sys.path:
            sys.path.insert(0, folder)
    if env._archives:
        folder = unpack(env._archives)
        os.environ["_PYTHON_WORKING_DIR"] = folder
        options["working_directory"] = folder
        # the engine's threads no longer stand where the program does
        for key in ("checkpoint_directory", "restore_path"):
            if options.get(key):
                options[key] = os.path.abspath(options[key])  # noqa: PTH100
    if env._cached_files:
        from pyflink.common.configuration import quoted

        listed = ";".join(
            f"name:{quoted(name)},path:{quoted(path)}" for name, path in env._cached_files.items()
        )
        options["job_parameters"] = {**options.get("job_parameters", {}), CACHED_FILES: listed}


class DistributedCache:
    """The files :meth:`StreamExecutionEnvironment.register_cached_file` made known."""

    def __init__(self, listed: str) -> None:
        files = parse_cached_files(CACHED_FILES, listed)
        self._paths = {name: path for name, path, _ in files}

    def get_file(self, name: str) -> str:
        """Where the file is.

        :raises ValueError: for a name that was not registered.
        """
        if name not in self._paths:
            raise ValueError(
                f"no cached file is called {name!r}; register it by"
                f" env.register_cached_file(path, {name!r})"
            )
        return self._paths[name]


def parse_cached_files(key: str, text: str) -> list[tuple[str, str, bool]]:
    """(name, path, executable) of the files of a setting ``name:n,path:'p',executable:true;...``.

    :raises ValueError: naming the setting.
    """
    from pyflink.common.configuration import parse_map, split_quoted

    files = []
    for item in split_quoted(key, text, ";"):
        entry = parse_map(key, item)
        if "name" not in entry or "path" not in entry:
            raise ValueError(
                f"Could not parse value {text!r} for key {key!r}: every file needs a name and a"
                " path; write name:n,path:'/p';name:m,path:'/q'"
            )
        executable = entry.get("executable", "false").lower() == "true"
        files.append((entry["name"], entry["path"], executable))
    return files


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return os.path.join(base, "flott")  # noqa: PTH118


def install(requirements: str, cache_dir: str | None) -> str:
    """A folder with the packages of a requirements file; made once for each content.

    :raises RuntimeError: when pip fails, with the end of what it says.
    """
    import hashlib
    import shutil
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    digest = hashlib.sha256(Path(requirements).read_bytes())
    digest.update(sys.version.encode())
    for name in sorted(os.listdir(cache_dir)) if cache_dir else ():  # noqa: PTH208
        digest.update(name.encode())
    folder = Path(_cache_folder()) / "requirements" / digest.hexdigest()[:32]
    if folder.is_dir():
        return str(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = tempfile.mkdtemp(dir=folder.parent)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--target", made, "-r", requirements]
    if cache_dir is not None:
        command += ["--no-index", "--find-links", cache_dir]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(made, ignore_errors=True)
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise RuntimeError(
            f"the packages of {requirements} (set_python_requirements) cannot be installed:\n{said}"
        )
    try:
        Path(made).rename(folder)
    except OSError:  # another process was quicker
        shutil.rmtree(made, ignore_errors=True)
    return str(folder)


def unpack(archives: list[tuple[str, str]]) -> str:
    """A new folder with the archives, each below its target; removed when the program ends.

    :raises ValueError: for a file that is no archive, or a member that lies outside.
    """
    from pathlib import Path

    folder = _own_folder("flott-archives-")
    for archive, target in archives:
        into = Path(folder) / target
        if not into.resolve().is_relative_to(Path(folder).resolve()):
            raise ValueError(f"add_python_archive: the target {target!r} lies outside")
        into.mkdir(parents=True, exist_ok=True)
        _unpack_one(archive, into)
    return folder


def _unpack_one(archive: str, into: Any) -> None:
    import tarfile
    import zipfile

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(into)
            for member in packed.infolist():
                mode = member.external_attr >> 16
                if mode and not member.is_dir():
                    os.chmod(into / member.filename, mode & 0o777)  # noqa: PTH101
        return
    if not tarfile.is_tarfile(archive):
        raise ValueError(
            f"add_python_archive: {archive} is no archive; use a zip, tar, tar.gz, tar.bz2 or"
            " tar.xz file"
        )
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
            return
        root = into.resolve()
        for name in tar.getnames():
            if not (into / name).resolve().is_relative_to(root):
                raise ValueError(f"add_python_archive: {archive} has a member outside: {name!r}")
        tar.extractall(into)
