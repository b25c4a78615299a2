"""What results say of the processor that has computed them."""

import pytest
from llvmlite import binding

from qhn.core.simd.processor import processor_text


@pytest.fixture
def fresh():
    processor_text.cache_clear()
    yield processor_text
    processor_text.cache_clear()


def test_code_for_the_processor_that_is_there(fresh, monkeypatch):
    monkeypatch.delenv("NUMBA_CPU_NAME", raising=False)
    name, *features = fresh().split()
    assert name == binding.get_host_cpu_name()
    assert all(binding.get_host_cpu_features()[feature] for feature in features)


def test_code_for_another_processor(fresh, monkeypatch):
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert fresh() == f"{binding.get_host_cpu_name()} with code for generic"
