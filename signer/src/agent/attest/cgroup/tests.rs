use proptest::prelude::*;
use rstest::rstest;

use super::*;

const UID: &str = "0f7d9c1e-3a52-4c0b-9d1c-5e6f7a8b9c0d";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

fn systemd(uid: &str) -> String {
    uid.replace('-', "_")
}

#[rstest]
#[case::guaranteed(format!("0::/kubepods/pod{UID}/4c2e"))]
#[case::burstable(format!("0::/kubepods/burstable/pod{UID}/4c2e"))]
#[case::best_effort(format!("0::/kubepods/besteffort/pod{UID}/4c2e"))]
#[case::the_pod_itself(format!("0::/kubepods/besteffort/pod{UID}"))]
#[case::below_a_root(format!("0::/testbed/kubepods/burstable/pod{UID}/4c2e"))]
#[case::version_1(format!("12:pids:/kubepods/burstable/pod{UID}/4c2e\n3:cpu,cpuacct:/kubepods/burstable/pod{UID}/4c2e\n1:name=systemd:/kubepods/burstable/pod{UID}/4c2e\n0::/\n"))]
#[case::version_1_systemd(format!("12:pids:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-4c2e.scope\n0::/system.slice/containerd.service\n", systemd(UID)))]
#[case::systemd_guaranteed(format!("0::/kubepods.slice/kubepods-pod{}.slice/cri-containerd-4c2e.scope", systemd(UID)))]
#[case::systemd_burstable(format!("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/crio-4c2e.scope", systemd(UID)))]
#[case::systemd_below_a_root(format!("0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{}.slice/cri-containerd-4c2e.scope", systemd(UID)))]
#[case::same_class_from_a_namespace(format!("0::/../../pod{UID}/4c2e"))]
#[case::other_class_from_a_namespace(format!("0::/../../../besteffort/pod{UID}/4c2e"))]
#[case::systemd_from_a_namespace(format!("0::/../../../kubepods-besteffort.slice/kubepods-besteffort-pod{}.slice/cri-containerd-4c2e.scope", systemd(UID)))]
#[case::systemd_same_class_from_a_namespace(format!("0::/../../kubepods-burstable-pod{}.slice/cri-containerd-4c2e.scope", systemd(UID)))]
#[case::what_the_pod_made_below(format!("0::/kubepods/pod{UID}/4c2e/kubepods/burstable/pod{OTHER}/x"))]
fn the_kubelets_name_counts(#[case] text: String) {
    assert_eq!(pod_uid(&text), Ok(UID.to_owned()));
}

#[test]
fn static_pods_have_no_dashes() {
    let uid = "0f7d9c1e3a524c0b9d1c5e6f7a8b9c0d";
    assert_eq!(pod_uid(&format!("0::/kubepods/pod{uid}/4c2e")), Ok(uid.to_owned()));
}

#[rstest]
#[case::empty(String::new())]
#[case::root("0::/".to_owned())]
#[case::host_service("0::/system.slice/sshd.service".to_owned())]
#[case::no_uid("0::/kubepods/burstable/podxyz/4c2e".to_owned())]
#[case::short_uid(format!("0::/kubepods/pod{}/4c2e", &UID[1..]))]
#[case::not_below_kubepods(format!("0::/burstable/pod{UID}/4c2e"))]
#[case::at_the_root(format!("0::/pod{UID}/4c2e"))]
#[case::a_users(format!("0::/user.slice/user-1000.slice/user@1000.service/kubepods/pod{UID}/x"))]
#[case::a_users_slice(format!("0::/user.slice/user-1000.slice/user@1000.service/kubepods.slice/kubepods-pod{}.slice/x.scope", systemd(UID)))]
#[case::a_users_from_a_namespace(format!("0::/../../../../user.slice/user-1000.slice/user@1000.service/kubepods/pod{UID}/x"))]
#[case::a_service_s(format!("0::/system.slice/ci.service/kubepods/pod{UID}/x"))]
#[case::a_host_process_first(format!("0::/elsewhere/pod{OTHER}/kubepods/pod{UID}/x"))]
#[case::another_container_of_the_agent("0::/../5d3f".to_owned())]
#[case::no_path("0:".to_owned())]
fn what_is_not_the_kubelets_is_no_pod(#[case] text: String) {
    assert_eq!(pod_uid(&text), Err(NoPod::None));
}

#[test]
fn hierarchies_must_agree() {
    let text = format!("2:pids:/kubepods/pod{UID}/a\n1:cpu:/kubepods/pod{OTHER}/a\n");
    assert_eq!(pod_uid(&text), Err(NoPod::Several));
}

#[test]
fn this_process_is_in_no_pod_or_the_kubelet_says_which() {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    // A machine that runs tests outside of Kubernetes.
    if !text.contains("pod") {
        assert_eq!(pod_uid(&text), Err(NoPod::None));
    }
}

proptest! {
    /// Whatever a Pod makes below its own cgroup, it stays itself.
    #[test]
    fn a_pod_cannot_become_another(
        below in prop::collection::vec(prop_oneof![
            Just("kubepods".to_owned()),
            Just("burstable".to_owned()),
            Just("..".to_owned()),
            Just(format!("pod{OTHER}")),
            Just("kubepods.slice".to_owned()),
            Just(format!("kubepods-pod{}.slice", systemd(OTHER))),
            "[a-z.:-]{1,12}",
        ], 0..6),
        slices in any::<bool>(),
    ) {
        let own = if slices {
            format!("/kubepods.slice/kubepods-pod{}.slice", systemd(UID))
        } else {
            format!("/kubepods/pod{UID}")
        };
        let text = format!("0::{own}/{}", below.join("/"));
        prop_assert_eq!(pod_uid(&text), Ok(UID.to_owned()));
    }

    #[test]
    fn anything_can_be_read(text in "\\PC*") {
        let _ = pod_uid(&text);
    }
}
