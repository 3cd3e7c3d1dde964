"""NAE's rooms: each subpackage is one noun, and imports run one way (see ARCHITECTURE.md)."""
