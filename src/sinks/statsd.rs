//! `StatsD`, Etsy's and Datadog's, over UDP, TCP or a Unix datagram socket.
//!
//! `StatsD` adds up what it is told and knows no time, which is why this sink keeps what it told of
//! every counter (`deltas.rs`) and judges itself which rows are too old (`lines.rs`). A counter moves
//! on with the packet that told it: when a batch breaks off, the same rows sent again say only what
//! was not said yet. Gauges may be said twice. A row counts as delivered when the kernel took its
//! packets: the protocol has no answer.

mod deltas;
mod lines;
mod naming;
mod packets;
mod transport;

use std::any::Any;
use std::time::Duration;

use wildmatch::WildMatch;

use self::deltas::Deltas;
use self::lines::{Encoding, Lines, Stale};
use self::naming::{NAME_TAGS, Naming};
use self::packets::{Framing, pack};
use self::transport::{Address, Failure, Transport};
use super::{Batch, Delivering, Delivery, Finding, Probe, Probing, Sink};
use crate::clock::{Clock, SystemClock};
use crate::http_client::advice;
use crate::metric::Sample;
use crate::settings::Section;

/// What it is.
pub(super) const SUMMARY: &str = "StatsD or DogStatsD, over UDP, TCP or a Unix socket.";

const SECOND: Duration = Duration::from_secs(1);
/// Two of a server's usual flush intervals.
const MAX_AGE: Duration = Duration::from_secs(20);
/// Ethernet's 1500 bytes without the headers of IPv6, UDP and a tunnel.
const MTU: u64 = 1432;

/// Writes rows to a `StatsD` server.
struct Statsd {
    encoding: Encoding,
    framing: Framing,
    deltas: Deltas,
    transport: Transport,
    clock: Box<dyn Clock>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Etsy,
    Dogstatsd,
}

/// Reads `[[sinks.statsd]]`.
pub(super) fn from_section(section: &Section<'_>, _name: &str) -> Option<Box<dyn Sink>> {
    let address = address(section);
    let encoding = encoding(section);
    // The largest datagram there is; RFC 791 says what every host must take.
    let mtu = section.number("mtu", MTU, 512..=65_507);
    let timeout = section.duration("timeout", 5 * SECOND, SECOND / 10..=600 * SECOND);
    let address = address?;
    Some(Box::new(Statsd {
        encoding: encoding?,
        framing: address.framing(usize::try_from(mtu).unwrap_or(usize::MAX)),
        deltas: Deltas::default(),
        transport: Transport::new(address, timeout),
        clock: Box::new(SystemClock),
    }))
}

fn address(section: &Section<'_>) -> Option<Address> {
    const EXPECTED: &str = "udp://host:port, tcp://host:port or unix:///path";
    let text = section.required_text("address", EXPECTED)?;
    let address = Address::parse(&text);
    if address.is_none() {
        section.mistake("address", format!("is no address of a StatsD server; expected {EXPECTED}"));
    }
    address
}

fn encoding(section: &Section<'_>) -> Option<Encoding> {
    let dialects = [("etsy", Dialect::Etsy), ("dogstatsd", Dialect::Dogstatsd)];
    let dialect = section.choice("dialect", Dialect::Etsy, &dialects);
    let prefix = section.text("prefix", "");
    let tags = section.texts("name_tags", NAME_TAGS);
    let max_age = section.duration("max_age", MAX_AGE, Duration::ZERO..=3650 * 86_400 * SECOND);
    let stale =
        section.choice("stale_counters", Stale::Expire, &[("expire", Stale::Expire), ("sum", Stale::Sum)]);
    let timestamps = section.truth("timestamps", false);
    if timestamps && dialect == Dialect::Etsy {
        section.mistake("timestamps", "is not known to this dialect; expected dialect = \"dogstatsd\"");
    }
    if !naming::is_prefix(&prefix) {
        section.mistake("prefix", "cannot begin a name; expected letters, digits and dots between them");
        return None;
    }
    let naming = match dialect {
        Dialect::Etsy => {
            Naming::Etsy { prefix, tags: tags.iter().map(|glob| WildMatch::new(glob)).collect() }
        }
        Dialect::Dogstatsd => Naming::Dogstatsd { prefix },
    };
    let stale = if timestamps { Stale::Replay } else { stale };
    Some(Encoding { naming, max_age: (!max_age.is_zero()).then_some(max_age), stale })
}

impl Statsd {
    async fn send(&mut self, samples: &[Sample]) -> Delivery {
        let Lines { items, expired } = self.encoding.lines(samples, &self.deltas, self.clock.now());
        let (packets, rejected) = pack(items, self.framing);
        let now = self.clock.monotonic();
        for packet in packets {
            if !packet.text.is_empty()
                && let Err(Failure { reason, denied }) =
                    self.transport.send(packet.text.as_bytes(), now).await
            {
                return Delivery::Later { reason, wait: None, denied };
            }
            for (key, base) in packet.told {
                self.deltas.told(key, base);
            }
        }
        if expired > 0 {
            return Delivery::PartlyExpired { expired, rejected };
        }
        Delivery::Accepted { rejected }
    }
}

impl Statsd {
    /// Sends nothing: an empty datagram, which every server passes over and which a machine where nobody listens
    /// refuses at once, if it is this one; over TCP no byte.
    async fn ask(&mut self) -> Probe {
        let asked = format!("nothing, sent to {}", self.transport.address());
        let now = self.clock.monotonic();
        if let Err(Failure { reason, denied }) = self.transport.send(&[], now).await {
            let finding = if denied { Finding::Refused } else { Finding::Unreachable };
            return Probe::new(asked, finding, reason.clone(), advice(&reason));
        }
        if self.transport.is_deaf() {
            let said = "no refusal; more cannot be known, because UDP has no answer";
            return Probe::new(asked, Finding::Unsure, said, "");
        }
        Probe::new(asked, Finding::Good, "it is there", "")
    }
}

impl Sink for Statsd {
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a> {
        Box::pin(self.send(batch.samples))
    }

    fn probe(&mut self) -> Probing<'_> {
        Box::pin(async { vec![self.ask().await] })
    }

    fn judges_age(&self) -> bool {
        true
    }

    /// A counter's next increment is held against what was told last, whatever the settings were then.
    fn take_over(&mut self, before: Box<dyn Sink>) {
        let before: Box<dyn Any> = before;
        if let Ok(before) = before.downcast::<Self>() {
            self.deltas = before.deltas;
        }
    }
}

#[cfg(test)]
mod tests;
