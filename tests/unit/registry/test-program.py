#!/usr/bin/python3
"""davit-registry and its client against registries on loopback: the mock, and Debian's docker-registry.

    test-program.py FETCH DAVIT-REGISTRY MOCK-REGISTRY        prints TAP

Needs no root. What needs a program that is missing is skipped and says so."""

import base64
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

FETCH, PROGRAM, MOCK = (os.path.abspath(path) for path in sys.argv[1:4])
work = tempfile.mkdtemp(prefix="davit-test-")
tests = []


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def wait_until(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting for " + what
        time.sleep(0.02)


def write(name, text):
    path = os.path.join(work, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


class Mock:
    """A running mock registry."""
    serial = 0

    def __init__(self, *arguments, **environment):
        Mock.serial += 1
        file = os.path.join(work, "port-%d" % Mock.serial)
        self.process = subprocess.Popen([sys.executable, MOCK, *arguments, file], stdin=subprocess.PIPE,
                                        env={**os.environ, **environment})
        wait_until("the mock registry", lambda: os.path.exists(file))
        self.port = int(open(file).read())
        self.name = "127.0.0.1:%d" % self.port

    def log(self):
        with urllib.request.urlopen("http://%s/_log" % self.name) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Result:
    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return "status %d\n%s%s" % (self.status, self.out, self.err)


environment = {
    "PATH": os.environ["PATH"], "HOME": work,
    "CONTAINERS_REGISTRIES_CONF": os.path.join(work, "registries.conf"),
    "CONTAINERS_REGISTRIES_CONF_DIR": os.path.join(work, "registries.conf.d"),
    "REGISTRY_AUTH_FILE": os.path.join(work, "auth.json"),
    **{key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")},
}
downloads = os.path.join(work, "downloads")
os.mkdir(downloads)
write("registries.conf", "")


def command(*arguments):
    return [FETCH, "--program", PROGRAM, "--dir", downloads, "--delay", "20", *arguments]


def fetch(*arguments, keep=False, env=None):
    if not keep:
        for path in glob.glob(downloads + "/*"):
            os.unlink(path)
    return Result(subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60,
                                 env={**environment, **(env or {})}))


def plain(*arguments, **options):
    return fetch("--tls-verify=false", *arguments, **options)


def succeeds(result):
    assert result.status == 0, result
    partial, = glob.glob(downloads + "/*")
    assert "blob" in result.out, result
    assert os.path.getsize(partial) == int(result.out.split("blob ")[1].split()[1]), result
    digest = subprocess.run(["sha256sum", partial], capture_output=True, text=True).stdout.split()[0]
    assert os.path.basename(partial) == "sha256-%s.partial" % digest


def fails(result, *words, leaves_nothing=True):
    assert result.status == 125, result
    errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result
    for word in words:
        assert word in errors[0], (word, result)
    if leaves_nothing:
        assert os.listdir(downloads) == [], os.listdir(downloads)


mock = Mock()


@test
def an_image_arrives_whole():
    succeeds(plain(mock.name + "/ok"))


@test
def an_index_is_followed():
    succeeds(plain(mock.name + "/index"))


@test
def the_program_names_itself():
    plain(mock.name + "/ok")
    assert mock.log()[-1]["agent"].startswith("davit/")


@test
def plain_http_needs_to_be_allowed():
    fails(fetch(mock.name + "/ok"), mock.name, "does not speak TLS", "insecure", "--tls-verify=false")
    write("registries.conf", '[[registry]]\nlocation = "%s"\ninsecure = true\n' % mock.name)
    succeeds(fetch(mock.name + "/ok"))
    fails(fetch("--tls-verify=true", mock.name + "/ok"), "does not speak TLS")
    write("registries.conf", "")


@test
def an_unknown_image_is_told():
    fails(plain(mock.name + "/missing"), "reading manifest latest in %s/missing" % mock.name, "not known")
    fails(plain(mock.name + "/ok:v2"), "reading manifest v2 in %s/ok" % mock.name, "manifest unknown")


@test
def a_registry_that_is_down_is_told():
    fails(plain("127.0.0.1:1/x"), "127.0.0.1:1", "connection refused")


@test
def a_name_that_does_not_resolve_is_told():
    fails(plain("registry.invalid/x"), "registry.invalid", "cannot be resolved")


@test
def a_web_server_is_no_registry():
    other = Mock(MOCK_PING="missing")
    fails(plain(other.name + "/x"), other.name, "is no registry")
    other.stop()


@test
def passwords_are_asked_for_and_checked():
    for repository in ("/basic", "/private"):
        fails(plain(mock.name + repository), "davit login " + mock.name)
        fails(plain("--creds", "ann:wrong", mock.name + repository), "wrong user name or password",
              "davit login " + mock.name)
        succeeds(plain("--creds", "ann:secret", mock.name + repository))


@test
def a_token_is_fetched_for_nobody():
    succeeds(plain(mock.name + "/bearer"))
    tokens = [entry for entry in mock.log() if entry["path"].startswith("/token")]
    assert "scope=repository%3Abearer%3Apull" in tokens[-1]["path"], tokens[-1]


@test
def a_token_is_fetched_once():
    before = len([entry for entry in mock.log() if entry["path"].startswith("/token")])
    succeeds(plain("--creds", "ann:secret", mock.name + "/private/index"))
    after = len([entry for entry in mock.log() if entry["path"].startswith("/token")])
    assert after == before + 1, after - before


@test
def a_senseless_token_answer_is_told():
    fails(plain(mock.name + "/bearer/nottoken"), mock.name, "token")


@test
def auth_json_is_read():
    def auths(entries):
        write("auth.json", json.dumps({"auths": entries}))

    good = base64.b64encode(b"ann:secret").decode()
    bad = base64.b64encode(b"ann:wrong").decode()
    auths({mock.name: {"auth": good}})
    succeeds(plain(mock.name + "/private"))
    auths({mock.name: {"auth": bad}, mock.name + "/private": {"auth": good}})
    succeeds(plain(mock.name + "/private/x"))
    fails(plain(mock.name + "/basic"), "wrong user name or password")
    auths({mock.name: {"identitytoken": "refresh-ann"}})
    succeeds(plain(mock.name + "/private"))
    auths({mock.name: {"auth": "?"}})
    fails(plain(mock.name + "/private"), "auth.json", "davit login")
    os.unlink(os.path.join(work, "auth.json"))


@test
def a_credential_helper_is_asked():
    helper = write("bin/docker-credential-test",
                   '#!/bin/sh\nread -r server\n[ "$1 $server" = "get %s" ] || { echo "credentials not found"; exit 1; }\n'
                   'echo \'{"Username":"ann","Secret":"secret"}\'\n' % mock.name)
    os.chmod(helper, 0o755)
    env = {"PATH": os.path.dirname(helper) + ":" + os.environ["PATH"]}
    write("auth.json", json.dumps({"credHelpers": {mock.name: "test"}}))
    succeeds(plain(mock.name + "/private", env=env))
    fails(plain(mock.name + "/private"), "docker-credential-test")
    os.unlink(os.path.join(work, "auth.json"))


@test
def logins_are_checked():
    for mode in ("basic", "bearer"):
        other = Mock(MOCK_PING=mode)
        result = plain("--creds", "ann:secret", "login", other.name)
        assert result.status == 0, result
        fails(plain("--creds", "ann:wrong", "login", other.name), other.name, "invalid user name or password")
        other.stop()


@test
def rate_limits_are_waited_out():
    start = time.monotonic()
    succeeds(plain(mock.name + "/rate-1"))
    assert time.monotonic() - start >= 1  # Retry-After


@test
def rate_limits_that_stay_are_told():
    fails(plain("--retry", "1", mock.name + "/rate-0"), "429", "slow down", mock.name, "after 1 retry")


@test
def server_errors_are_retried_then_told():
    succeeds(plain(mock.name + "/fail-2"))
    fails(plain(mock.name + "/fail-0"), "status 503", "down for a moment", "after 3 retries")
    fails(plain("--retry", "0", mock.name + "/fail-1/once"), "status 503")


@test
def broken_downloads_go_on_where_they_stopped():
    succeeds(plain(mock.name + "/truncate-2"))
    ranges = [entry["range"] for entry in mock.log() if "/truncate-2/blobs" in entry["path"] and entry["range"]]
    assert len(ranges) == 2 and ranges[0] != ranges[1], ranges


@test
def broken_downloads_are_kept_for_the_next_time():
    fails(plain("--retry", "0", mock.name + "/truncate-1"), "truncated", leaves_nothing=False)
    assert os.listdir(downloads)
    succeeds(plain(mock.name + "/truncate-1", keep=True))
    assert mock.log()[-1]["range"]


@test
def a_registry_without_ranges_starts_again():
    fails(plain("--retry", "0", mock.name + "/truncate-1/norange"), "truncated", leaves_nothing=False)
    succeeds(plain(mock.name + "/truncate-1/norange", keep=True))
    fails(plain("--retry", "0", mock.name + "/truncate-1/wrongrange"), "truncated", leaves_nothing=False)
    fails(plain(mock.name + "/truncate-1/wrongrange", keep=True), "another part")


@test
def a_damaged_rest_is_fetched_again():
    succeeds(plain(mock.name + "/ok"))
    partial, = glob.glob(downloads + "/*")
    with open(partial, "r+b") as file:
        file.truncate(1000)
        file.write(b"damage")
    succeeds(plain(mock.name + "/ok", keep=True))
    with open(partial, "ab") as file:
        file.write(b"longer than it may be")
    succeeds(plain(mock.name + "/ok", keep=True))


@test
def a_complete_file_is_not_fetched_again():
    succeeds(plain(mock.name + "/ok"))
    before = len([entry for entry in mock.log() if "/blobs/" in entry["path"]])
    succeeds(plain(mock.name + "/ok", keep=True))
    assert len([entry for entry in mock.log() if "/blobs/" in entry["path"]]) == before + 1  # the config


@test
def short_long_and_altered_blobs_are_refused():
    fails(plain(mock.name + "/short"), "truncated", mock.name + "/short")
    fails(plain(mock.name + "/long"), "altered", "longer")
    result = plain(mock.name + "/alter")
    fails(result, "altered", mock.name + "/alter")
    assert result.err.count("sha256:") == 2, result


@test
def an_altered_manifest_is_refused():
    result = plain(mock.name + "/altermanifest")
    fails(result, "altered")
    assert result.err.count("sha256:") == 2, result


@test
def a_huge_manifest_is_refused_early():
    for repository in ("/huge", "/hugechunked"):
        start = time.monotonic()
        fails(plain(mock.name + repository), "larger than the 4 MiB", "manifest")
        assert time.monotonic() - start < 10


@test
def a_missing_blob_is_told():
    fails(plain(mock.name + "/gone"), "blob unknown", mock.name + "/gone")


@test
def redirects_do_not_see_passwords():
    for repository in ("/basic/redirect", "/private/redirect"):
        succeeds(plain("--creds", "ann:secret", mock.name + repository))
    seen = [entry for entry in mock.log() if entry["elsewhere"]]
    assert len(seen) == 4 and not any(entry["authorization"] for entry in seen), seen


@test
def redirects_in_circles_end():
    fails(plain(mock.name + "/loop"), "redirects in circles")


@test
def proxies_of_the_environment_are_used_for_others_only():
    env = {"HTTP_PROXY": "http://" + mock.name, "HTTPS_PROXY": "http://" + mock.name}
    succeeds(plain("registry.invalid/ok", env=env))  # the mock answers for everybody
    fails(plain("registry.invalid/ok", env={**env, "NO_PROXY": "registry.invalid"}), "cannot be resolved")
    nowhere = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    succeeds(plain(mock.name + "/ok", env=nowhere))
    fails(plain("registry.invalid/ok", env=nowhere), "registry.invalid", "the proxy", "https_proxy")


@test
def mirrors_are_tried_in_order():
    write("registries.conf", """
[[registry]]
location = "origin.invalid"
[[registry.mirror]]
location = "127.0.0.1:1"
[[registry.mirror]]
location = "%s/missing"
insecure = true
[[registry.mirror]]
location = "%s"
insecure = true
""" % (mock.name, mock.name))
    result = fetch("origin.invalid/ok")
    succeeds(result)
    assert mock.name + "/ok" in result.out, result
    write("registries.conf", '[[registry]]\nlocation = "bad.example"\nblocked = true\n')
    fails(fetch("bad.example/x"), "blocked", "bad.example")
    write("registries.conf", "")


@test
def failures_of_mirrors_are_told_too():
    write("registries.conf", '[[registry]]\nlocation = "127.0.0.1:2"\n[[registry.mirror]]\nlocation = "127.0.0.1:1"\n')
    fails(fetch("127.0.0.1:2/ok"), "mirrors failed too", "'127.0.0.1:1'", "'127.0.0.1:2'")
    write("registries.conf", "")


@test
def all_tags_are_listed():
    result = plain("tags", mock.name + "/ok")
    assert result.out.split() == ["latest", "t1", "t2", "t3", "t4"], result
    fails(plain("tags", mock.name + "/endless"), "without end")


@test
def search_registries_are_tried_in_order():
    write("registries.conf", 'unqualified-search-registries = ["127.0.0.1:1", "%s"]\nshort-name-mode = "disabled"\n'
          '[[registry]]\nlocation = "%s"\ninsecure = true\n' % (mock.name, mock.name))
    succeeds(fetch("ok"))
    write("registries.conf", "")
    fails(fetch("ok"), 'short-name "ok"', "registries.conf")


@test
def two_at_once_share_the_work_in_turn():
    for path in glob.glob(downloads + "/*"):
        os.unlink(path)
    both = [subprocess.Popen(command("--tls-verify=false", mock.name + "/slow"), env=environment,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for each in both:
        out, err = each.communicate(timeout=60)
        assert each.returncode == 0, out + err
    fetched = [entry for entry in mock.log() if "/slow/blobs" in entry["path"]]
    assert len(fetched) == 3, fetched  # two configs and one layer


@test
def the_program_ends_with_its_parent():
    for path in glob.glob(downloads + "/*"):
        os.unlink(path)
    slow = Mock(MOCK_BLOB_SIZE=str(64 << 20))
    process = subprocess.Popen(command("--tls-verify=false", "--progress", slow.name + "/slow"), env=environment,
                               stdout=subprocess.PIPE, text=True)
    while "progress" not in process.stdout.readline():
        assert process.poll() is None
    helper = int(open("/proc/%d/task/%d/children" % (process.pid, process.pid)).read().split()[0])
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    wait_until("the end of davit-registry", lambda: not running(helper), 5)
    partial, = glob.glob(downloads + "/*")
    had = os.path.getsize(partial)
    assert had > 0
    # What was there is used, and the rest is asked for.
    result = plain(slow.name + "/ok", keep=True)
    assert result.status == 0, result
    start = int(slow.log()[-1]["range"].split("=")[1].rstrip("-"))
    assert start >= had, (start, had)
    slow.stop()


def running(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@test
def the_program_is_confined():
    process = subprocess.Popen(command("--tls-verify=false", "--progress", mock.name + "/slow"), env=environment,
                               stdout=subprocess.PIPE, text=True, pass_fds=[mock.process.stdin.fileno()])
    for path in glob.glob(downloads + "/*"):
        os.unlink(path)
    while "progress" not in process.stdout.readline():
        assert process.poll() is None
    helper = open("/proc/%d/task/%d/children" % (process.pid, process.pid)).read().split()[0]
    status = dict(line.split(":\t", 1) for line in open("/proc/%s/status" % helper).read().splitlines())
    arguments = open("/proc/%s/cmdline" % helper).read()
    process.stdout.close()
    process.kill()
    process.wait()
    assert status["NoNewPrivs"] == "1", status
    for sets in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[sets], 16) == 0, status
    if "asan" not in PROGRAM:
        assert status["Seccomp"] == "2", status
    assert arguments == "davit-registry\0", arguments


@test
def a_full_disk_is_told():
    if os.getuid() != 0:
        raise Skip("only root can mount a small file system")
    script = ('mount -t tmpfs -o size=256k none "$1" && shift && "$@"; status=$?; ls "$0"; exit $status')
    small = os.path.join(work, "small")
    os.mkdir(small)
    arguments = [FETCH, "--program", PROGRAM, "--dir", small, "--tls-verify=false", mock.name + "/ok"]
    result = Result(subprocess.run(["unshare", "-m", "sh", "-c", script, small, small, *arguments],
                                   capture_output=True, text=True, env=environment))
    if "permission denied" in result.err.lower():
        raise Skip("mounting is not allowed here")
    assert result.status == 125 and "no space is left" in result.err, result
    assert "partial" not in result.out, result


def certificates():
    if not shutil.which("openssl"):
        raise Skip("openssl is missing")
    if os.path.exists(work + "/server.crt"):
        return

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=work)

    write("san", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("ca", "clientca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-keyout", name + ".key", "-out", name + ".crt")
    for name, ca, more in (("server", "ca", ["-extfile", "san"]), ("client", "clientca", [])):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", name + ".key",
                "-out", name + ".csr")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key", "-CAcreateserial",
                "-days", "2", "-out", name + ".crt", *more)


def certs_d(registry, **files):
    directory = "%s/.config/containers/certs.d/%s" % (work, registry)
    os.makedirs(directory, exist_ok=True)
    for name, source in files.items():
        shutil.copy("%s/%s" % (work, source), "%s/%s" % (directory, name.replace("_", ".")))
    return directory


@test
def certificates_are_checked():
    certificates()
    secure = Mock("--tls", work + "/server.crt", work + "/server.key")
    name = "localhost:%d" % secure.port
    fails(fetch(name + "/ok"), name, "certs.d/" + name, "--tls-verify=false")
    succeeds(plain(name + "/ok"))
    directory = certs_d(name, ca_crt="ca.crt")
    succeeds(fetch(name + "/ok"))
    succeeds(fetch("--creds", "ann:secret", name + "/private"))
    shutil.rmtree(directory)
    succeeds(fetch("--cert-dir", certs_d("elsewhere", ca_crt="ca.crt"), name + "/ok"))
    succeeds(fetch(name + "/ok", env={"SSL_CERT_FILE": work + "/ca.crt"}))
    fails(fetch("--cert-dir", directory, name + "/redirect"), "certs.d")
    certs_d(name, ca_crt="ca.crt")
    fails(fetch(name + "/redirect"), "not protected by TLS")
    secure.stop()


@test
def client_certificates_are_shown():
    certificates()
    secure = Mock("--tls", work + "/server.crt", work + "/server.key", MOCK_CLIENT_CA=work + "/clientca.crt")
    name = "localhost:%d" % secure.port
    certs_d(name, ca_crt="ca.crt")
    fails(fetch("--retry", "0", name + "/ok"), name)
    certs_d(name, client_cert="client.crt", client_key="client.key")
    succeeds(fetch(name + "/ok"))
    secure.stop()


@test
def the_real_registry_serves_us():
    certificates()
    for program in ("docker-registry", "htpasswd", "skopeo"):
        if not shutil.which(program):
            raise Skip(program + " is missing")
    subprocess.run(["htpasswd", "-Bbc", work + "/htpasswd", "ann", "secret"], check=True, capture_output=True)
    port = free_port()
    name = "localhost:%d" % port
    config = write("registry.yml", """
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s/data}}
auth: {htpasswd: {realm: test, path: %s/htpasswd}}
http: {addr: "127.0.0.1:%d", secret: test, tls: {certificate: %s/server.crt, key: %s/server.key}}
""" % (work, work, port, work, work))
    log = open(work + "/registry.log", "w")
    process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        certs = certs_d(name, ca_crt="ca.crt")
        wait_until("docker-registry", lambda: fetch("--creds", "ann:secret", "login", name).status == 0)
        fails(fetch("--creds", "ann:wrong", "login", name), name, "invalid user name or password")
        copied = subprocess.run(["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-cert-dir", certs,
                        "--dest-creds", "ann:secret", "docker://%s/ok" % mock.name, "docker://%s/team/ok" % name],
                       capture_output=True, text=True, env=environment)
        assert copied.returncode == 0, copied.stderr
        succeeds(fetch("--creds", "ann:secret", name + "/team/ok"))
        fails(fetch(name + "/team/ok"), "davit login " + name)
        fails(fetch("--creds", "ann:secret", name + "/team/other"), "manifest unknown")
    finally:
        process.terminate()
        process.wait()
        log.close()


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    only = sys.argv[4:]
    chosen = [each for each in tests if not only or each.__name__ in only]
    print("1..%d" % len(chosen))
    for number, each in enumerate(chosen, 1):
        name = "%d - %s" % (number, each.__name__)
        try:
            each()
            print("ok", name)
        except Skip as reason:
            print("ok %s # SKIP %s" % (name, reason))
        except Exception as failure:
            print("not ok", name)
            print("\n".join("# " + line for line in repr(failure).replace("\\n", "\n").splitlines()))
        sys.stdout.flush()
    mock.stop()
    shutil.rmtree(work)


main()
