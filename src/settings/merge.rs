//! Several files as one: later ones on top of earlier ones.
//!
//! Tables are joined key by key, `[[tables]]` of one name stand one after the other, and of anything else
//! the later one counts. Spans are moved, so that each value still tells its file and line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Puts `later` over `table`.
pub(super) fn merge<'a>(table: &mut DeTable<'a>, later: DeTable<'a>) {
    for (key, value) in later {
        match table.get_mut(key.get_ref().as_ref()) {
            Some(before) => join(before, value),
            None => {
                table.insert(key, value);
            }
        }
    }
}

fn join<'a>(before: &mut Spanned<DeValue<'a>>, later: Spanned<DeValue<'a>>) {
    let are_tables = are_tables(before.get_ref()) && are_tables(later.get_ref());
    let span = later.span();
    let value = match (before.get_mut(), later.into_inner()) {
        (DeValue::Table(before), DeValue::Table(later)) => return merge(before, later),
        (DeValue::Array(before), DeValue::Array(later)) if are_tables => {
            return later.into_iter().for_each(|item| before.push(item));
        }
        (_, later) => later,
    };
    *before = Spanned::new(span, value);
}

fn are_tables(value: &DeValue<'_>) -> bool {
    let items = value.as_array().filter(|items| !items.is_empty());
    items.is_some_and(|items| items.iter().all(|item| item.get_ref().is_table()))
}

/// The same table, as if so many bytes stood before its text.
pub(super) fn moved(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let mut all = DeTable::new();
    for (key, value) in table {
        all.insert(moved_one(key, by), moved_value(value, by));
    }
    all
}

fn moved_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = moved_one(Spanned::new(value.span(), ()), by).span();
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved(table, by)),
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| moved_value(item, by)).collect())
        }
        value => value,
    };
    Spanned::new(span, value)
}

fn moved_one<T>(one: Spanned<T>, by: usize) -> Spanned<T> {
    let span = one.span();
    Spanned::new(span.start.saturating_add(by)..span.end.saturating_add(by), one.into_inner())
}
