//! Signs of life: a part that must make progress gives one at every turn, and says how long its next turn may
//! take. Who looks for them decides who hangs; the parts know nobody who looks.
//!
//! What counts is the turn of a part's own loop, not what it achieves: a sender whose sink is down turns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one part owes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owes {
    /// A sign within this time.
    Sign(Duration),
    /// Nothing: it waits for others.
    Nothing,
    /// It ended by a defect, and will never give one.
    Lost,
    /// It ended as it should.
    Ended,
}

/// A part's last sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The part.
    pub name: String,
    /// Signs so far.
    pub count: u64,
    /// And what comes next.
    pub owes: Owes,
}

/// A part's own end. One that nobody looks at is made by `default`.
#[derive(Debug)]
pub struct Pulse(Arc<Mutex<Sign>>);

/// The signs of all parts. Copies hold the same.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<Vec<Arc<Mutex<Sign>>>>>);

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves plain values behind: they are still good.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Pulse {
    fn default() -> Self {
        let sign = Sign { name: String::new(), count: 0, owes: Owes::Nothing };
        Self(Arc::new(Mutex::new(sign)))
    }
}

impl Pulse {
    /// A turn is over; the next one may take that long.
    pub fn turn(&self, next: Duration) {
        self.note(Owes::Sign(next));
    }

    /// A turn is over; the next one begins when others have work.
    pub fn rest(&self) {
        self.note(Owes::Nothing);
    }

    fn note(&self, owes: Owes) {
        let mut sign = lock(&self.0);
        (sign.count, sign.owes) = (sign.count.wrapping_add(1), owes);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.note(if std::thread::panicking() { Owes::Lost } else { Owes::Ended });
    }
}

impl Pulses {
    /// The end of a new part.
    pub fn part(&self, name: impl Into<String>) -> Pulse {
        let pulse = Pulse::default();
        lock(&pulse.0).name = name.into();
        lock(&self.0).push(pulse.0.clone());
        pulse
    }

    /// All signs, of those that have not ended.
    pub fn signs(&self) -> Vec<Sign> {
        let mut all = lock(&self.0);
        all.retain(|sign| lock(sign).owes != Owes::Ended);
        all.iter().map(|sign| lock(sign).clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Owes, Pulses, Sign};

    #[test]
    fn a_part_is_seen_until_it_ends_and_for_ever_if_by_a_defect() {
        let second = Duration::from_secs(1);
        let pulses = Pulses::default();
        let (one, other) = (pulses.part("one"), pulses.part("other"));
        one.turn(second);
        one.turn(second);
        other.rest();
        let sign = |name: &str, count, owes| Sign { name: name.into(), count, owes };
        let expected = [sign("one", 2, Owes::Sign(second)), sign("other", 1, Owes::Nothing)];
        assert_eq!(pulses.signs(), expected);
        drop(other);
        assert_eq!(pulses.signs(), expected[..1]);
        std::thread::spawn(move || {
            let _held = one;
            panic!("a defect, on purpose");
        })
        .join()
        .unwrap_err();
        assert_eq!(pulses.signs(), [sign("one", 3, Owes::Lost)]);
    }
}
