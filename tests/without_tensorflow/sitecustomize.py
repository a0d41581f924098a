"""Makes every Python process that has this folder on its PYTHONPATH one without TensorFlow.

As where the extra ``train`` is not installed, the packages are not found: an import of them fails,
and ``importlib.util.find_spec`` gives None.
"""

import sys
from importlib.machinery import PathFinder

MISSING = {"tensorflow", "keras", "keras_tuner", "onnx"}


class Without(PathFinder):
    """Finds every other package."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in MISSING:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Without
