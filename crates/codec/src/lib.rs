//! Column encodings and checksums.
