//! Who is told to stop, or to send what waits: one signal that every task can look at.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    stop: bool,
    leave: bool,
    flushes: u64,
}

/// The end that asks.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Asked>);

/// The end that is asked. Copies hear the same.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Asked>);

/// A pair.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Asked::default());
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everybody to stop.
    pub fn stop(&self) {
        self.0.send_modify(|asked| asked.stop = true);
    }

    /// Asks everybody to stop after what is under way, and to leave the rest to those who come next.
    pub fn leave(&self) {
        self.0.send_modify(|asked| (asked.stop, asked.leave) = (true, true));
    }

    /// Asks everybody to send what waits now.
    pub fn flush(&self) {
        self.0.send_modify(|asked| asked.flushes = asked.flushes.wrapping_add(1));
    }
}

impl Stop {
    /// Whether it was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.0.borrow().stop
    }

    /// Whether it was asked to stop without sending what waits.
    pub fn is_to_leave(&self) -> bool {
        self.0.borrow().leave
    }

    /// Waits until it is asked to stop, or from now on to flush.
    pub fn flush_asked(&self) -> impl Future<Output = ()> + use<> {
        let mut asked = self.0.clone();
        asked.mark_unchanged();
        async move {
            if !asked.borrow().stop {
                // Without its other end nobody will ever ask again: as good as a stop.
                let _ = asked.changed().await;
            }
        }
    }

    /// Waits until it is asked to stop.
    pub async fn asked(&self) {
        let mut asked = self.0.clone();
        let _ = asked.wait_for(|asked| asked.stop).await;
    }
}
