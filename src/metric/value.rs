//! The value of a field: typed, and finite by construction.

use std::sync::Arc;

use super::Text;

/// The type of a field, fixed in the catalogue: a server refuses a field that changes its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Signed integer.
    I64,
    /// Unsigned integer, counters mostly.
    U64,
    /// Floating point, never NaN or infinite.
    F64,
    /// True or false.
    Bool,
    /// Text.
    Text,
}

/// A float that is neither NaN nor infinite: no sink can send those.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// The number, unless it is NaN or infinite.
    pub fn try_new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Signed integer.
    I64(i64),
    /// Unsigned integer.
    U64(u64),
    /// Finite float.
    F64(Finite),
    /// True or false.
    Bool(bool),
    /// Text; numbers, which are most values, take half as much as one.
    Text(Arc<Text>),
}

impl Value {
    /// The type, as the catalogue names it.
    pub fn kind(&self) -> Type {
        match self {
            Self::I64(_) => Type::I64,
            Self::U64(_) => Type::U64,
            Self::F64(_) => Type::F64,
            Self::Bool(_) => Type::Bool,
            Self::Text(_) => Type::Text,
        }
    }
}

/// What can be put into a field. Absent and non-finite values give none: an unknown field is left
/// out, never zero.
pub trait IntoValue {
    /// The value, if there is one.
    fn into_value(self) -> Option<Value>;
}

impl IntoValue for Value {
    fn into_value(self) -> Option<Value> {
        Some(self)
    }
}

impl IntoValue for i64 {
    fn into_value(self) -> Option<Value> {
        Some(Value::I64(self))
    }
}

impl IntoValue for u64 {
    fn into_value(self) -> Option<Value> {
        Some(Value::U64(self))
    }
}

impl IntoValue for f64 {
    fn into_value(self) -> Option<Value> {
        Finite::try_new(self).map(Value::F64)
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Option<Value> {
        Some(Value::Bool(self))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(Arc::new(text))
    }
}

impl IntoValue for Text {
    fn into_value(self) -> Option<Value> {
        Some(self.into())
    }
}

impl IntoValue for &'static str {
    fn into_value(self) -> Option<Value> {
        Text::of(self).into_value()
    }
}

impl IntoValue for String {
    fn into_value(self) -> Option<Value> {
        Text::from(self).into_value()
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Option<Value> {
        self.and_then(IntoValue::into_value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, Value};

    #[test]
    fn a_field_takes_two_numbers_for_its_name_and_two_for_its_value() {
        assert_eq!((size_of::<Text>(), size_of::<Value>()), (16, 16));
    }
}
