//! Containers: who they are and what they use.

pub mod cgroup;
pub mod identity;
pub mod metadata;
pub mod network;
pub mod reading;
pub mod rows;
