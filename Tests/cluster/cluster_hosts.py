"""Several hosts on one machine: network namespaces, each with an address, a name and an sshd of its own.

    coordinator, root namespace ── bridge 10.231.N.1 ─┬─ veth ─ 10.231.N.11, sshd
                                                      ├─ veth ─ 10.231.N.12, sshd
                                                      └─ …

All interfaces and addresses are made here and go again; the sshd have their own configuration, keys and log.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from cluster_programs import is_running, missing, wait_until

SSHD = "/usr/sbin/sshd"


def call(*command, timeout=20):
    """Runs a command and returns what it printed; its error output is part of the failure."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout)
    if result.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {result.stderr.strip() or result.returncode}")
    return result.stdout


def obstacle():
    """Why there can be no such hosts here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if reason := missing("ip", "ssh", "ssh-keygen", "sshd", "unshare", "nsenter", "mount"):
        return f"{reason} (Debian: iproute2 openssh-client openssh-server util-linux)"
    shadow = pathlib.Path("/etc/shadow")
    if shadow.exists() and re.search(r"^root:!", shadow.read_text(), flags=re.M):
        return "sshd lets nobody into a locked account: root's password begins with `!`"
    # What containers may lack.
    probe = f"flap-{os.getpid()}-probe"
    try:
        call("ip", "netns", "add", probe)
    except OSError as error:
        return f"no network namespaces: {error}"
    try:
        call("ip", "link", "add", f"flap{os.getpid():x}-p", "type", "veth", "peer", "name", "eth0", "netns", probe)
        call("ip", "netns", "exec", probe, "unshare", "--mount", "--uts", "true")
    except OSError as error:
        return f"no interfaces or mounts: {error}"
    finally:
        # The interfaces go with the namespace.
        call("ip", "netns", "del", probe)
    return None


class Host:
    """One namespace and its sshd."""

    def __init__(self, network, number):
        self.network = network
        self.address = f"{network.prefix}.{10 + number}"
        self.name = f"flap-host-{number}"
        self.namespace = f"flap-{os.getpid()}-{number}"
        # Of the bridge; inside it is eth0.
        self.link = f"flap{os.getpid():x}-{number}"
        self.folder = network.folder / self.name
        self.folder.mkdir()
        self.log_path = self.folder / "sshd.log"
        self.sshd = None

    def connect(self):
        call("ip", "netns", "add", self.namespace)
        call("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        call("ip", "link", "set", self.link, "master", self.network.bridge, "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")

    def inside(self, *command):
        return call("ip", "netns", "exec", self.namespace, *command)

    def inside_mounts(self, *command):
        """Runs a command that sees the files that the host's sshd sees."""
        return call("nsenter", "--mount", f"--target={self.sshd.pid}", *command)

    def start_sshd(self):
        key = self.folder / "host_key"
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", key)
        configuration = self.folder / "sshd_config"
        configuration.write_text(
            f"Port 22\nListenAddress {self.address}\nHostKey {key}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {self.network.identity}.pub\nPasswordAuthentication no\nUseDNS no\n"
            "PermitRootLogin prohibit-password\nPrintMotd no\nLogLevel VERBOSE\nMaxStartups 100\n"
        )
        # Hosts see the machine's files, except what only the coordinator has; there is no room to write.
        script = 'echo "$1" >/proc/sys/kernel/hostname && mount -t tmpfs -o ro tmpfs "$2" && shift 2 && exec "$@"'
        self.sshd = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "--uts", "sh", "-c", script, "sh",
             self.name, str(self.network.private), SSHD, "-D", "-f", str(configuration), "-E", str(self.log_path)],
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    @property
    def known_hosts_line(self):
        return f"{self.address} " + (self.folder / "host_key.pub").read_text()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def sessions(self):
        """Ids of what runs there beside the sshd itself."""
        pids = map(int, call("ip", "netns", "pids", self.namespace).split())
        return [pid for pid in pids if pid != self.sshd.pid and is_running(pid)]

    def workers(self):
        found = []
        for pid in self.sessions():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "flap-worker":
                    found.append(pid)
        return found

    def cut_off(self):
        call("ip", "link", "set", self.link, "down")

    def bring_back(self):
        call("ip", "link", "set", self.link, "up")

    def slow_down(self):
        """What the host sends goes through a thin line. Returns how, or None where the kernel has nothing."""
        for discipline in ("netem delay 40ms rate 2mbit", "tbf rate 2mbit burst 16kb latency 400ms"):
            with contextlib.suppress(OSError):
                self.inside("tc", "qdisc", "replace", "dev", "eth0", "root", *discipline.split())
                return discipline
        return None

    def slow_down_arrivals(self):
        """What goes to the host has 7 MB/s, where the kernel has a way to do it: at its end of the bridge."""
        with contextlib.suppress(OSError):
            call("tc", "qdisc", "replace", "dev", self.link, "root", *"tbf rate 60mbit burst 64kb latency 200ms".split())

    def speed_up(self):
        with contextlib.suppress(OSError):
            self.inside("tc", "qdisc", "del", "dev", "eth0", "root")
        with contextlib.suppress(OSError):
            call("tc", "qdisc", "del", "dev", self.link, "root")

    def kill_sessions(self):
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            for pid in map(int, call("ip", "netns", "pids", self.namespace).split()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.sshd:
            self.sshd.kill()
            self.sshd.wait(10)
        for command in (("ip", "link", "del", self.link), ("ip", "netns", "del", self.namespace)):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                call(*command)


class Network:
    """A bridge and its hosts; a context."""

    def __init__(self, folder, count):
        self.folder = folder
        # Seen by all hosts, and by the coordinator alone.
        self.shared, self.private = folder / "shared", folder / "private"
        self.shared.mkdir()
        self.private.mkdir()
        self.bridge = f"flapb{os.getpid():x}"
        self.prefix = Network.free_prefix()
        self.address = f"{self.prefix}.1"
        self.unused_address = f"{self.prefix}.250"
        self.identity = folder / "identity"
        self.known_hosts = folder / "known_hosts"
        self.hosts = [Host(self, number + 1) for number in range(count)]

    @staticmethod
    def free_prefix():
        taken = " ".join(route["dst"] for route in json.loads(call("ip", "-j", "-4", "route", "show", "table", "all")))
        for number in range(256):
            if f"10.231.{number}." not in taken:
                return f"10.231.{number}"
        raise OSError("no network 10.231.N.0/24 is free")

    @staticmethod
    def remove_leftovers():
        """What a killed run of these tests has left."""
        for namespace, pid in re.findall(r"^(flap-(\d+)-\w+)", call("ip", "netns", "list"), flags=re.M):
            if not is_running(pid):
                for process in call("ip", "netns", "pids", namespace).split():
                    os.kill(int(process), signal.SIGKILL)
                call("ip", "netns", "del", namespace)
        for link, pid in re.findall(r"^\d+: (flapb([0-9a-f]+)):", call("ip", "link"), flags=re.M):
            if not is_running(int(pid, 16)):
                call("ip", "link", "del", link)

    def __enter__(self):
        Network.remove_leftovers()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "flap-tests", "-f", self.identity)
        call("ip", "link", "add", self.bridge, "type", "bridge")
        call("ip", "address", "add", f"{self.address}/24", "dev", self.bridge)
        call("ip", "link", "set", self.bridge, "up")
        # What Debian's service makes at boot: sshd's folder without rights.
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for host in self.hosts:
            host.connect()
            host.start_sshd()
        self.known_hosts.write_text("".join(host.known_hosts_line for host in self.hosts))
        for host in self.hosts:
            wait_until(lambda host=host: self.answers(host), 10, f"sshd of {host.name}: {host.log}")

    @staticmethod
    def answers(host):
        try:
            with socket.create_connection((host.address, 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def __exit__(self, *_):
        for host in self.hosts:
            host.remove()
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            call("ip", "link", "del", self.bridge)

    def sessions(self):
        """What runs on the hosts: (host, process id, command line)."""
        found = []
        for host in self.hosts:
            for pid in host.sessions():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append((host.name, pid, line))
        return found

    def recover(self):
        """As it was, for the next test."""
        for host in self.hosts:
            host.bring_back()
            host.speed_up()
            host.kill_sessions()

    def hosts_file(self, path, lines=None):
        """Writes a hosts file: all hosts, or these lines."""
        lines = lines or [f"{host.address} threads=1" for host in self.hosts]
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def ssh_options(self, known_hosts=None):
        return [
            "--ssh-identity", self.identity,
            "--ssh-option", f"UserKnownHostsFile={known_hosts or self.known_hosts}",
            "--ssh-option", "GlobalKnownHostsFile=/dev/null",
        ]  # fmt: skip
