//! A day of frames, as an agent that reads those rows at every tick would have kept them.
//!
//! Names, tags, types and the number of fields are those that the binary gives. The numbers move:
//! each container is busy to a degree of its own, from 1 % to 100 %, which is the chance that a
//! number of it moves at a tick. A total that was not zero when the machine was captured rises by a
//! random amount (exponential, so mostly little and sometimes much), network traffic always does; a
//! size goes up or down by up to 1 % in steps of a page; an average has two decimals; a share of time has all its
//! digits. What stood at zero (errors, limits that were not hit) and what is a limit stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin::metric::catalogue::{self, Kind, Unit};
use dunlin::metric::{Fields, Finite, Moment, Monotonic, Sample, Tags, Text, Type, UnixNanos, Value};
use dunlin::spool::Frame;
use fastrand::Rng;

use crate::INTERVAL;
use crate::machine::Row;

/// Gauges that do not move in a day.
const STILL: [&str; 6] = ["limit", "max_usage", "percpu", "vmalloc", "boot_time", "pid"];

/// The rows of every tick of a day.
pub(crate) struct Day {
    series: Vec<Series>,
    random: Rng,
    /// The number of its first tick.
    first: i64,
    /// The number of the next one.
    next: i64,
    /// Values that were not the same at the tick before.
    pub(crate) moved: u64,
}

struct Series {
    measurement: Text,
    tags: Tags,
    busy: f64,
    fields: Vec<(Text, Motion)>,
}

/// How a value goes from one tick to the next.
enum Motion {
    Still(Value),
    /// So much per second, in steps.
    Clock {
        start: u64,
        per_second: u64,
        step: u64,
    },
    Total {
        now: u64,
        pace: f64,
        step: u64,
    },
    Size {
        now: u64,
        step: u64,
    },
    /// In hundredths.
    Average {
        now: u32,
    },
    Share {
        now: f64,
    },
}

impl Day {
    /// The day that begins with tick `first`; a seed makes the same day again.
    pub(crate) fn new(rows: &[Row], first: i64, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut busy = BTreeMap::new();
        let mut series = Vec::with_capacity(rows.len());
        for row in rows {
            let owner = row.tags.get("container_name").cloned();
            let busy = *busy.entry(owner).or_insert_with(|| 0.01 + 0.99 * random.f64());
            series.push(Series::new(row, busy, &mut random));
        }
        Self { series, random, first, next: first, moved: 0 }
    }

    /// Rows of a tick.
    pub(crate) fn rows(&self) -> u64 {
        self.series.len() as u64
    }

    /// Values of a tick.
    pub(crate) fn values(&self) -> u64 {
        self.series.iter().map(|series| series.fields.len() as u64).sum()
    }

    /// What must arrive: for a measurement and a field that all rows of one shape have, the tags of
    /// the series.
    pub(crate) fn shapes(&self) -> BTreeMap<(String, String), BTreeSet<BTreeMap<String, String>>> {
        let mut shapes = BTreeMap::<_, BTreeSet<_>>::new();
        for series in &self.series {
            let field = series.fields.last().unwrap().0.to_string();
            let tags = series.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            shapes.entry((series.measurement.to_string(), field)).or_default().insert(tags);
        }
        shapes
    }

    /// The frame of the next tick.
    pub(crate) fn next(&mut self) -> Frame {
        let tick = self.next;
        self.next += 1;
        let interval = i64::try_from(INTERVAL.as_nanos()).unwrap();
        // A reading begins a little after its tick.
        let late = Duration::from_micros(self.random.u64(100..5_000));
        let time = UnixNanos(tick * interval).plus(late);
        let uptime = INTERVAL * u32::try_from(tick - self.first).unwrap() + Duration::from_secs(3600) + late;
        let mut samples = Vec::with_capacity(self.series.len());
        for series in &mut self.series {
            let mut fields = Vec::with_capacity(series.fields.len());
            for (name, motion) in &mut series.fields {
                let moves = self.random.f64() < series.busy;
                self.moved += u64::from(motion.step(moves, uptime, &mut self.random));
                fields.push((name.clone(), motion.value(uptime)));
            }
            samples.push(Sample {
                measurement: series.measurement.clone(),
                tags: series.tags.clone(),
                fields: fields.into_iter().collect::<Fields>(),
                time,
            });
        }
        Frame { tick, events: false, read: Moment { wall: time, monotonic: Monotonic(uptime) }, samples }
    }
}

impl Series {
    fn new(row: &Row, busy: f64, random: &mut Rng) -> Self {
        let text = |text: &String| Text::from(text.clone());
        let field = |(name, value): (&String, &String)| {
            (text(name), Motion::new(&row.measurement, name, value, random))
        };
        Self {
            measurement: text(&row.measurement),
            tags: Tags::new(row.tags.iter().map(|(key, value)| (text(key), text(value)))),
            busy,
            fields: row.fields.iter().map(field).collect(),
        }
    }
}

impl Motion {
    /// The captured value is scaled up: the container was seconds old and did little.
    fn new(measurement: &str, name: &str, captured: &str, random: &mut Rng) -> Self {
        let field = catalogue::find(measurement).and_then(|found| found.field(name));
        let field = field.unwrap_or_else(|| panic!("{measurement} has no field {name}"));
        let number = captured.trim_end_matches('i');
        let still = match field.value_type {
            Type::I64 => Value::I64(number.parse().unwrap()),
            Type::U64 => Value::U64(number.parse().unwrap()),
            Type::F64 => Value::F64(Finite::try_new(number.parse().unwrap()).unwrap()),
            Type::Bool => Value::Bool(captured == "true"),
            Type::Text => Text::from(captured.trim_matches('"').to_owned()).into(),
        };
        let larger = 10_u64.pow(random.u32(0..4)) * random.u64(1..10);
        match (still, field.kind) {
            (Value::U64(start), _) if name.starts_with("uptime") => {
                let per_second = if field.unit == Unit::Nanoseconds { 1_000_000_000 } else { 1 };
                Self::Clock { start, per_second, step: 1 }
            }
            // All processors of the machine, counted in hundredths of a second.
            (Value::U64(start), _) if name == "usage_system" => {
                Self::Clock { start, per_second: 2_000_000_000, step: 10_000_000 }
            }
            (Value::U64(start), Kind::Counter) => match pace(measurement, name, field.unit, start) {
                0.0 => Self::Still(Value::U64(start)),
                pace => {
                    let step = if name.starts_with("io_service_bytes") { 4096 } else { 1 };
                    let pace = pace * random.f64();
                    Self::Total { now: start * larger / step * step, pace, step }
                }
            },
            (Value::U64(start), Kind::Gauge) if start > 0 && !STILL.contains(&name) => {
                let step = if field.unit == Unit::Bytes && start % 4096 == 0 { 4096 } else { 1 };
                let larger = if field.unit == Unit::Bytes { larger } else { 1 };
                Self::Size { now: start * larger, step }
            }
            (Value::F64(_), _) if name.starts_with("avg") || name.starts_with("load") => {
                Self::Average { now: 0 }
            }
            (Value::F64(start), _) if start.get() > 0.0 => Self::Share { now: start.get() },
            (value, _) => Self::Still(value),
        }
    }

    /// Goes to the next tick; tells whether the value is another one then.
    fn step(&mut self, moves: bool, uptime: Duration, random: &mut Rng) -> bool {
        match self {
            Self::Still(_) => false,
            Self::Clock { .. } => !uptime.is_zero(),
            _ if !moves => false,
            Self::Total { now, pace, step } => {
                let more = whole(-(1.0 - random.f64()).ln() * *pace) / *step * *step;
                *now += more;
                more > 0
            }
            Self::Size { now, step } => {
                let most = (*now / 100).max(*step);
                let change = random.u64(0..=most) / *step * *step;
                *now = if random.bool() { *now + change } else { now.saturating_sub(change) };
                change > 0
            }
            Self::Average { now } => {
                let before = *now;
                *now = if random.u8(0..4) == 0 { random.u32(0..3000) } else { before / 10 * 9 };
                *now != before
            }
            Self::Share { now } => {
                *now = 100.0 * random.f64() * random.f64();
                true
            }
        }
    }

    fn value(&self, uptime: Duration) -> Value {
        match self {
            Self::Still(value) => value.clone(),
            Self::Clock { start, per_second, step } => {
                let passed = uptime.as_secs() * per_second
                    + u64::from(uptime.subsec_nanos()) * per_second / 1_000_000_000;
                Value::U64((start + passed) / step * step)
            }
            Self::Total { now, .. } | Self::Size { now, .. } => Value::U64(*now),
            Self::Average { now } => Value::F64(Finite::try_new(f64::from(*now) / 100.0).unwrap()),
            Self::Share { now } => Value::F64(Finite::try_new(*now).unwrap()),
        }
    }
}

/// About how much a total rises at a tick when it moves.
fn pace(measurement: &str, name: &str, unit: Unit, captured: u64) -> f64 {
    let is_traffic = measurement.ends_with("_net") && (name.ends_with("bytes") || name.ends_with("packets"));
    match unit {
        _ if captured == 0 && !is_traffic => 0.0,
        Unit::Bytes => 200_000.0,
        Unit::Nanoseconds => 1e9,
        Unit::Microseconds => 1e4,
        _ => 200.0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a random amount, at least 0 and far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
