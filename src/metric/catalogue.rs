//! The one table of what dunlin measures: every measurement and field with its kind, type, unit,
//! meaning and source. Whoever needs to know a metric reads it here: sinks that tell counters from
//! gauges, `dunlin metrics`, the documentation, the tests.
//!
//! Names, types and units are Telegraf's wherever Telegraf has the measurement, so that existing
//! dashboards work; a type that changes is refused by a server that has seen the other one.
//! A family of measurements is a file below; a new field is a row in it.

mod agent;
mod container;
mod host;

use super::{Sample, Type};

/// Whether a value only rises (until its source begins anew), may go anywhere, or is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A total since some start: rates are made from it.
    Counter,
    /// A state: it may rise and fall.
    Gauge,
    /// What is new since the row before: it is added to a total, and each row counts once.
    Increment,
    /// Text or a truth value: a state that has no size.
    State,
}

impl Kind {
    /// As printed and as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Increment => "increment",
            Self::State => "state",
        }
    }
}

/// What one step of a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// Per cent, 0 to 100 (more where several cores are meant).
    Percent,
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Nanoseconds since 1970-01-01 UTC.
    UnixNanoseconds,
    /// Seconds since 1970-01-01 UTC.
    UnixSeconds,
    /// Megabits per second.
    MegabitsPerSecond,
    /// Memory pages of the kernel.
    Pages,
    /// Kilobytes of 1024 bytes.
    Kibibytes,
    /// Thousands of cycles per second.
    Kilohertz,
    /// Degrees Celsius.
    Celsius,
    /// Minutes.
    Minutes,
    /// Kilobytes of 1024 bytes per second.
    KibibytesPerSecond,
    /// A number without a unit.
    Unitless,
}

impl Unit {
    /// As printed and as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Percent => "percent",
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::UnixNanoseconds => "unix ns",
            Self::UnixSeconds => "unix s",
            Self::MegabitsPerSecond => "Mbit/s",
            Self::Pages => "pages",
            Self::Kibibytes => "KiB",
            Self::Kilohertz => "kHz",
            Self::Celsius => "°C",
            Self::Minutes => "min",
            Self::KibibytesPerSecond => "KiB/s",
            Self::Unitless => "",
        }
    }
}

/// One field of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name. One that ends in `*` stands for all names that begin so: the kernel names them.
    pub name: &'static str,
    /// Counter, gauge or state.
    pub kind: Kind,
    /// The type it always has.
    pub value_type: Type,
    /// The unit of its number.
    pub unit: Unit,
    /// What it tells, one sentence.
    pub meaning: &'static str,
    /// The file (and key) it is read from, and since which kernel where that matters.
    pub source: &'static str,
    /// Its Prometheus name (`node_exporter`'s or cAdvisor's), where one exists.
    pub prometheus: Option<&'static str>,
}

impl Field {
    const fn new(
        name: &'static str,
        kind: Kind,
        value_type: Type,
        unit: Unit,
        meaning: &'static str,
        source: &'static str,
    ) -> Self {
        Self { name, kind, value_type, unit, meaning, source, prometheus: None }
    }

    /// A total, unsigned.
    const fn counter(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::Counter, Type::U64, unit, meaning, source)
    }

    /// So many more, unsigned.
    const fn increment(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::Increment, Type::U64, unit, meaning, source)
    }

    /// A state, unsigned.
    const fn gauge(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::Gauge, Type::U64, unit, meaning, source)
    }

    /// A state, signed.
    const fn signed(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::Gauge, Type::I64, unit, meaning, source)
    }

    /// A state, a float.
    const fn float(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::Gauge, Type::F64, unit, meaning, source)
    }

    /// A state in words.
    const fn text(name: &'static str, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::State, Type::Text, Unit::Unitless, meaning, source)
    }

    /// A state, yes or no.
    const fn truth(name: &'static str, meaning: &'static str, source: &'static str) -> Self {
        Self::new(name, Kind::State, Type::Bool, Unit::Unitless, meaning, source)
    }

    /// The same field, with its Prometheus name.
    const fn prometheus(mut self, name: &'static str) -> Self {
        self.prometheus = Some(name);
        self
    }

    fn names(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => self.name == name,
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Measurement {
    /// Its name.
    pub name: &'static str,
    /// What a row of it stands for, one sentence.
    pub meaning: &'static str,
    /// How it is switched on and what it costs, one sentence, if it is not read by default.
    pub opt_in: Option<&'static str>,
    /// Its own tags, besides `host` and the global ones. One that ends in `*` stands for many.
    pub tags: &'static [&'static str],
    /// Its fields. A row may lack some.
    pub fields: &'static [Field],
}

impl Measurement {
    /// The field of that name; an exact name wins over a `*`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let exact = self.fields.iter().find(|field| field.name == name);
        exact.or_else(|| self.fields.iter().find(|field| field.names(name)))
    }
}

/// All measurements, by family.
pub fn all() -> impl Iterator<Item = &'static Measurement> {
    host::MEASUREMENTS
        .iter()
        .chain(container::MEASUREMENTS)
        .chain(container::OF_CGROUPS)
        .chain(agent::MEASUREMENTS)
}

/// The measurements of the host itself.
pub fn host() -> impl Iterator<Item = &'static Measurement> {
    host::MEASUREMENTS.iter()
}

/// The measurement of that name.
pub fn find(name: &str) -> Option<&'static Measurement> {
    all().find(|measurement| measurement.name == name)
}

/// Whether the rows of that measurement are events: each stands for itself, and none can be left out
/// because another one says the same.
pub fn is_event(name: &str) -> bool {
    name == container::event::EVENT.name
}

/// What of a row contradicts the catalogue, in words; empty if nothing does. Tests hold every row
/// they see against it.
pub fn contradictions(sample: &Sample) -> Vec<String> {
    let name = &sample.measurement;
    let Some(measurement) = find(name) else {
        return vec![format!("{name} is not in the catalogue")];
    };
    let mut found = Vec::new();
    for (field_name, value) in sample.fields.iter() {
        match measurement.field(field_name) {
            None => found.push(format!("{name} has no field {field_name}")),
            Some(field) if field.value_type != value.kind() => found.push(format!(
                "{name}.{field_name} is {:?}, expected {:?}",
                value.kind(),
                field.value_type
            )),
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
