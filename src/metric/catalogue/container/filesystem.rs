//! What containers take on disk. The Prometheus names are cAdvisor's.

use super::super::Unit::{Bytes, Count, Seconds};
use super::super::{Field, Measurement};
use super::{CONTAINER_ID, tags};

const AGE: Field = Field::gauge("age", Seconds, "How long ago that was found.", "the end of the last walk");

const UNREAD: Field =
    Field::gauge("unread", Count, "Files and directories that could not be looked at.", "the last walk");

pub(super) const FILESYSTEM: Measurement = Measurement {
    name: "docker_container_fs",
    meaning: "What a container takes on disk, as it was found last; walks take 2% of a core at most.",
    opt_in: None,
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::gauge(
            "usage_bytes",
            Bytes,
            "Its writable layer and its log.",
            "blocks of all files, those with several names once",
        )
        .prometheus("container_fs_usage_bytes"),
        Field::gauge(
            "base_usage_bytes",
            Bytes,
            "Its writable layer; with vfs and btrfs what it has of its image too.",
            "/proc/PID/mountinfo: upperdir of /, else its folder or filesystem; else Docker's layerdb",
        ),
        Field::gauge(
            "log_bytes",
            Bytes,
            "The folder in which Docker keeps its log.",
            "DATA_ROOT/containers/ID",
        ),
        Field::gauge("inodes_used", Count, "Files and directories in its layer.", "the last walk"),
        Field::gauge("inodes_total", Count, "What fits on that filesystem, where it is fixed.", "statvfs")
            .prometheus("container_fs_inodes_total"),
        Field::gauge("inodes_free", Count, "How many more fit there.", "statvfs")
            .prometheus("container_fs_inodes_free"),
        Field::gauge("limit_bytes", Bytes, "Size of the filesystem that its layer is on.", "statvfs")
            .prometheus("container_fs_limit_bytes"),
        Field::gauge("available_bytes", Bytes, "What may still be written there.", "statvfs"),
        UNREAD,
        AGE,
    ],
};

pub(super) const VOLUME: Measurement = Measurement {
    name: "docker_container_volume",
    meaning: "What a named volume takes on disk, beside each container that has it.",
    opt_in: Some(
        "`[containers.filesystem] volumes = true`; walked within the same 2% of a core, so that all takes longer.",
    ),
    tags: tags!["volume"],
    fields: &[
        CONTAINER_ID,
        Field::gauge("usage_bytes", Bytes, "Its files.", "blocks of all files below volumes/NAME/_data"),
        Field::gauge("inodes_used", Count, "Files and directories.", "the last walk"),
        UNREAD,
        AGE,
    ],
};
