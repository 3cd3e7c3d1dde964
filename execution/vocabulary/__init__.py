"""The words every other room uses, said once. Standard library and msgspec only; no I/O."""
