"""Tests on real X-rays; they need the folder that CXR_REAL_DATA names."""
