"""What the node's programs are told: addresses, command lines and configuration files. Pure; nothing is started here."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

NODE = "node"
NODE_ADDRESS = "192.168.77.2"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
#: Outside: addresses that Postrider takes for the internet's. They exist in the two namespaces of the test only.
OUTSIDE_GATEWAY = "45.45.0.1"
CLIENT_ADDRESSES = ("45.45.0.10", "45.45.0.11", "45.45.0.12")
BALANCER = "45.45.1."
#: Inside the node's mount namespace the run's folder is here, so that sockets have short paths.
RUN = "/run/node"
CGROUP = "postrider-cluster"
SOCKET = f"{RUN}/containerd.sock"


def commands(programs: Mapping[str, Path]) -> dict[str, list[str]]:
    """The command lines in the order of their start; all after the API server need it."""
    pki = f"{RUN}/pki"

    def program(name: str, *arguments: str) -> list[str]:
        return [str(programs[name]), *arguments]

    return {
        "etcd": program(
            "etcd",
            f"--data-dir={RUN}/etcd",
            "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        ),
        "containerd": program("containerd", f"--config={RUN}/containerd.toml"),
        "kube-apiserver": program(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--advertise-address={NODE_ADDRESS}",
            "--bind-address=0.0.0.0",
            "--secure-port=6443",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/account.pub",
            f"--service-account-signing-key-file={pki}/account.key",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt",
            f"--kubelet-client-key={pki}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy.crt",
            f"--proxy-client-key-file={pki}/front-proxy.key",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--enable-aggregator-routing=true",
        ),
        "kube-controller-manager": program(
            "kube-controller-manager",
            f"--kubeconfig={pki}/controller-manager.conf",
            "--leader-elect=false",
            f"--service-account-private-key-file={pki}/account.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={POD_NETWORK}",
            f"--authentication-kubeconfig={pki}/controller-manager.conf",
            f"--authorization-kubeconfig={pki}/controller-manager.conf",
        ),
        "kube-scheduler": program(
            "kube-scheduler",
            f"--kubeconfig={pki}/scheduler.conf",
            "--leader-elect=false",
            f"--authentication-kubeconfig={pki}/scheduler.conf",
            f"--authorization-kubeconfig={pki}/scheduler.conf",
        ),
        "kubelet": program(
            "kubelet",
            f"--config={RUN}/kubelet.yaml",
            f"--kubeconfig={pki}/kubelet.conf",
            f"--root-dir={RUN}/kubelet",
            f"--node-ip={NODE_ADDRESS}",
            f"--hostname-override={NODE}",
            f"--cert-dir={pki}",
        ),
        "kube-proxy": program(
            "kube-proxy",
            f"--kubeconfig={pki}/proxy.conf",
            "--proxy-mode=nftables",
            "--conntrack-max-per-core=0",
            f"--cluster-cidr={POD_NETWORK}",
            f"--hostname-override={NODE}",
            "--oom-score-adj=0",
        ),
    }


def containerd(programs: Mapping[str, Path]) -> str:
    return f"""version = 3
root = "{RUN}/containerd"
state = "{RUN}/state"
disabled_plugins = ["io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{RUN}/opt"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "postrider.test/pause:1"

[plugins."io.containerd.cri.v1.runtime"]
  # without CAP_SYS_RESOURCE no sandbox could lower its own
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{programs["bridge"].parent}"]
    conf_dir = "{RUN}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{programs["runc"]}"
        SystemdCgroup = false
"""


def cni() -> str:
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": True,
                    "ipMasqBackend": "nftables",
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": f"{RUN}/ipam",
                        "ranges": [[{"subnet": "10.244.0.0/24"}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}},
            ],
        }
    )


def kubelet() -> str:
    text: str = yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{RUN}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{CGROUP}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "podLogsDir": f"{RUN}/logs/pods",
            "volumePluginDir": f"{RUN}/volume-plugins",
            "resolvConf": f"{RUN}/resolv.conf",
            # a test machine's disk may be fuller than a node's should be
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
            "maxPods": 60,
            "registerNode": True,
        }
    )
    return text


def files(programs: Mapping[str, Path]) -> dict[str, str]:
    """Every configuration file by its path in the run's folder."""
    return {
        "containerd.toml": containerd(programs),
        "cni/10-pods.conflist": cni(),
        "kubelet.yaml": kubelet(),
        "resolv.conf": "nameserver 127.0.0.1\n",
    }


def volume(number: int) -> dict[str, object]:
    """A volume that is a folder of the run: there is nothing here that provisions them."""
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"local-{number}"},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "local": {"path": f"{RUN}/volumes/{number}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }
