//! Pure: how many rows a request has, learnt from what the server could not take.

/// Rows of the first request, at the start and after trouble.
const PROBE: u64 = 100;
/// So many requests of the learnt size are accepted before a larger one is tried.
const ACCEPTED_TO_GROW: u64 = 8;

/// Rows of one request.
#[derive(Debug)]
pub(super) struct Size {
    /// As it is set.
    most: u64,
    /// No request is larger: the server said so.
    learned: u64,
    /// Requests of that size that were accepted since.
    accepted: u64,
}

impl Size {
    pub(super) fn new(most: u64) -> Self {
        Self { most, learned: most, accepted: 0 }
    }

    /// Rows of a request to a server that takes what it is given.
    pub(super) fn whole(&self) -> u64 {
        self.learned
    }

    /// Rows of one to a server of which that is not known.
    pub(super) fn probe(&self) -> u64 {
        self.learned.min(PROBE)
    }

    /// The server takes no more at once.
    pub(super) fn learn(&mut self, rows: u64) {
        self.learned = rows.max(1);
        self.accepted = 0;
    }

    /// After some requests of the learnt size a larger one is tried: it may have been one large row
    /// that made it small.
    pub(super) fn grow(&mut self, rows: u64) {
        self.accepted = if rows >= self.learned { self.accepted.saturating_add(1) } else { self.accepted };
        if self.accepted >= ACCEPTED_TO_GROW {
            self.learned = self.learned.saturating_mul(2).min(self.most);
            self.accepted = 0;
        }
    }

    /// What takes longer than the sink's timeout is not sent as much of again; a probe is small enough.
    pub(super) fn shrink(&mut self, rows: u64) {
        self.learned = self.learned.min((rows / 2).max(PROBE));
        self.accepted = 0;
    }
}
