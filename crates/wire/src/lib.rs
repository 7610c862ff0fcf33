//! Wire formats of TDengine's protocols.
