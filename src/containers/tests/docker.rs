//! With a real engine.
