//! What a user sees: the binary, its configuration, its traffic.
