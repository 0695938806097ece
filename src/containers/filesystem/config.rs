//! `[containers.filesystem]`: whether and how fast containers' folders are walked through.

use std::time::Duration;

use crate::settings::Section;

/// What may be said about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FilesystemConfig {
    /// Whether it is done at all.
    pub enabled: bool,
    /// How much of one core the walks may take, 1.0 is all of it.
    pub cpu_share: f64,
    /// The least time between two walks through the same container.
    pub period: Duration,
    /// Whether named volumes are walked through too.
    pub volumes: bool,
}

impl Default for FilesystemConfig {
    fn default() -> Self {
        Self { enabled: true, cpu_share: 0.02, period: Duration::from_secs(60), volumes: false }
    }
}

impl FilesystemConfig {
    /// Reads the section and finishes it.
    pub fn from_section(section: Section<'_>) -> Self {
        let defaults = Self::default();
        let config = Self {
            enabled: section.truth("enabled", defaults.enabled),
            cpu_share: section.share("cpu_share", defaults.cpu_share),
            period: section.duration(
                "period",
                defaults.period,
                Duration::from_secs(1)..=Duration::from_secs(24 * 3600),
            ),
            volumes: section.truth("volumes", defaults.volumes),
        };
        if !(0.0001..=1.0).contains(&config.cpu_share) {
            section.mistake(
                "cpu_share",
                "is no share of a core; expected \"0.01%\" to \"100%\", such as \"2%\"",
            );
        }
        section.finish();
        config
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::FilesystemConfig;
    use crate::settings::{Document, Outside};

    fn read(text: &str) -> (FilesystemConfig, Vec<String>) {
        let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let outside = Outside { variable: &|_| None, file: &file };
        let document = Document::parse(PathBuf::from("d.toml"), text, &outside);
        let config = FilesystemConfig::from_section(document.root());
        (config, document.into_mistakes().into_list().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_budget_is_a_share_of_a_core() {
        assert_eq!(read(""), (FilesystemConfig::default(), Vec::new()));
        let (config, mistakes) = read("cpu_share = \"10%\"\nperiod = \"5m\"\nvolumes = true\n");
        assert_eq!(mistakes, [""; 0]);
        assert_eq!((config.cpu_share, config.period.as_secs(), config.volumes), (0.1, 300, true));
        let (_, mistakes) = read("cpu_share = \"0%\"\nperiod = \"0s\"\nvolume = true\n");
        let expected = [
            "d.toml:1: cpu_share: is no share of a core; expected",
            "d.toml:2: period:",
            "d.toml:3: volume:",
        ];
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        for (mistake, begin) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(begin), "{mistake}");
        }
    }
}
