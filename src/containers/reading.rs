//! stand-in
pub struct Reading;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    pub cpu_ns: u64,
}
impl Reading {
    pub fn activity(&self) -> Activity {
        Activity::default()
    }
}
