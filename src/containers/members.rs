//! Which processes are a container's: those in its cgroup and in any cgroup below it.
//!
//! The kernel writes a process's cgroup as whoever reads it sees it. From a cgroup namespace of our own
//! (dunlin in a container) whatever is beside us begins with `/..`, as many times as we lie deep; the
//! names of what is above us are not told.

/// Whether a process whose cgroup is `process` belongs to the container whose cgroup is `container`.
pub fn holds(container: &str, process: &str) -> bool {
    let (container, process) = (names(container), names(process));
    if container.is_empty() {
        return false;
    }
    let above = process.iter().take_while(|name| **name == "..").count();
    if above == 0 {
        return process.starts_with(&container);
    }
    let below = process.get(above..).unwrap_or_default();
    // The last of the container's names is its own, and no other one's.
    (0..container.len()).any(|at| container.get(at..).is_some_and(|end| below.starts_with(end)))
}

fn names(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn what_is_below_belongs_to_it() {
        let check = |container: &str, process: &str, expected: bool| {
            assert_eq!(holds(container, process), expected, "{process} in {container}");
        };
        check("docker/a1", "/docker/a1", true);
        check("/docker/a1/", "/docker/a1/", true);
        check("docker/a1", "/docker/a1/inner/more", true);
        check("docker/a1", "/docker/a12", false);
        check("docker/a1", "/docker", false);
        check("docker/a1", "/", false);
        check("docker/a1", "/other/docker/a1", false);
        check("", "/docker/a1", false);
    }

    #[test]
    fn names_above_our_own_cgroup_are_not_told() {
        let check = |process: &str, expected: bool| {
            assert_eq!(holds("kube.slice/pod.slice/a1.scope", process), expected, "{process}");
        };
        check("/../a1.scope", true);
        check("/../a1.scope/inner", true);
        check("/../../pod.slice/a1.scope", true);
        check("/../../../kube.slice/pod.slice/a1.scope", true);
        check("/../b2.scope", false);
        check("/../..", false);
        check("/../inner/a1.scope", false);
        check("/../../pod.slice", false);
    }
}
