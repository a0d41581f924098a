"""Every example in a docstring of the modules that need no TensorFlow is true."""

import doctest
import importlib
import pkgutil

import pytest

import redshift_core

NEEDS_TENSORFLOW = ("models", "devices", "training", "prediction", "worker")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(redshift_core.__path__, "redshift_core.")
    if module.name.split(".")[1] not in NEEDS_TENSORFLOW and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name):
    if "onnx" in name:
        pytest.importorskip("onnx", reason="onnx is not installed")
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    found = doctest.DocTestFinder().find(importlib.import_module("redshift_core.settings.layers"))
    assert any(one.examples for one in found)
