//! dunlin measures a host and its containers, keeps what it measured in a crash-safe spool, and
//! delivers it over any link.
//!
//! ```text
//!  collectors + containers -> sampler -> spool -> sender -> sinks
//! ```
//!
//! The modules stand in the order of the flow, which is also the order to read them in.

pub mod metric;

pub mod host;

pub mod collectors;
pub mod containers;
pub mod machine;

pub mod sampler;

pub mod spool;

pub mod sender;

pub mod encode;
pub mod sinks;

pub mod control;

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http_client;
pub mod logs;
pub mod orders;
pub mod pulse;
pub mod secret;
pub mod self_metrics;
pub mod service;
pub mod settings;
pub mod shutdown;
