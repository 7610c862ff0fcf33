//! The raw block, version 3 (spec/protocols.md 3.5): rows as columns in TDengine's own memory layout, all little-endian.
