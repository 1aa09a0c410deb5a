"""Run by check_wheel.sh with an installed wheel: a small job, and every native library loads."""

import ctypes
import pathlib

import pyflink
from pyflink.datastream import StreamExecutionEnvironment

package = pathlib.Path(pyflink.__file__).parent
assert "site-packages" in package.parts, f"not the installed package: {package}"
for library in sorted(package.glob("libflott*.so")):
    ctypes.CDLL(str(library))
    print(f"check_wheel: {library.name} loads")

env = StreamExecutionEnvironment.get_execution_environment()
words = env.from_collection(["a", "b", "a"]).map(lambda word: (word, 1))
counts = words.key_by(lambda pair: pair[0]).reduce(lambda x, y: (x[0], x[1] + y[1]))
with counts.execute_and_collect() as results:
    collected = sorted(results)
assert collected == [("a", 1), ("a", 2), ("b", 1)], collected
