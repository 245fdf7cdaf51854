#!py
"""
The options that systemd reads, as data, and the errors in options from pillar: the section Service
of a unit, and journald.conf.

One option a line: its name; its type; and the first release of EL that has it, with the last one
after a hyphen if there is one. systemd logs any other option, and a value that it cannot read, and
goes on without it.

Source: load-fragment-gperf.gperf and journald-gperf.gperf of systemd 219 of RHEL 7
(lnykryn/systemd-rhel), 239 of RHEL 8 and 252 of RHEL 9 (redhat-plumbers/systemd-rhel8, -rhel9).
"""

import re
from types import SimpleNamespace

SERVICE = """
AllowedCPUs                   text    8
AllowedMemoryNodes            text    8
AmbientCapabilities           text    7
AppArmorProfile               text    7
BPFProgram                    text    9
BindPaths                     text    8
BindReadOnlyPaths             text    8
BlockIOAccounting             bool    7
BlockIODeviceWeight           text    7
BlockIOReadBandwidth          text    7
BlockIOWeight                 text    7
BlockIOWriteBandwidth         text    7
BusName                       text    7
CPUAccounting                 bool    7
CPUAffinity                   text    7
CPUQuota                      percent 7
CPUQuotaPeriodSec             text    8
CPUSchedulingPolicy           text    7
CPUSchedulingPriority         text    7
CPUSchedulingResetOnFork      bool    7
CPUShares                     text    7
CPUWeight                     text    8
CacheDirectory                text    8
CacheDirectoryMode            mode    8
Capabilities                  text    7-7
CapabilityBoundingSet         text    7
ConfigurationDirectory        text    8
ConfigurationDirectoryMode    mode    8
CoredumpFilter                text    9
DefaultMemoryLow              memory  8
DefaultMemoryMin              memory  8
Delegate                      bool    7-7
Delegate                      groups  8
DeviceAllow                   text    7
DevicePolicy                  text    7
DisableControllers            text    9
DynamicUser                   bool    8
Environment                   text    7
EnvironmentFile               text    7
ExecCondition                 text    8
ExecPaths                     text    9
ExecReload                    text    7
ExecSearchPath                text    9
ExecStart                     text    7
ExecStartPost                 text    7
ExecStartPre                  text    7
ExecStop                      text    7
ExecStopPost                  text    7
ExitType                      text    9
ExtensionDirectories          text    9
ExtensionImages               text    9
FailureAction                 text    7
FileDescriptorStoreMax        integer 7
FinalKillSignal               signal  9
Group                         text    7
GuessMainPID                  bool    7
IOAccounting                  bool    8
IODeviceLatencyTargetSec      text    8
IODeviceWeight                text    8
IOReadBandwidthMax            text    8
IOReadIOPSMax                 text    8
IOSchedulingClass             text    7
IOSchedulingPriority          text    7
IOWeight                      text    8
IOWriteBandwidthMax           text    8
IOWriteIOPSMax                text    8
IPAccounting                  bool    8
IPAddressAllow                text    8
IPAddressDeny                 text    8
IPCNamespacePath              text    9
IPEgressFilterPath            text    9
IPIngressFilterPath           text    9
IgnoreSIGPIPE                 bool    7
InaccessibleDirectories       text    7
InaccessiblePaths             text    8
KeyringMode                   text    8
KillMode                      killing 7
KillSignal                    signal  7
LimitAS                       text    7
LimitCORE                     text    7
LimitCPU                      text    7
LimitDATA                     text    7
LimitFSIZE                    text    7
LimitLOCKS                    limit   7
LimitMEMLOCK                  text    7
LimitMSGQUEUE                 text    7
LimitNICE                     text    7
LimitNOFILE                   limit   7
LimitNPROC                    limit   7
LimitRSS                      text    7
LimitRTPRIO                   limit   7
LimitRTTIME                   text    7
LimitSIGPENDING               limit   7
LimitSTACK                    text    7
LoadCredential                text    9
LoadCredentialEncrypted       text    9
LockPersonality               bool    8
LogExtraFields                text    8
LogLevelMax                   text    8
LogNamespace                  text    9
LogRateLimitBurst             integer 8
LogRateLimitIntervalSec       time    8
LogsDirectory                 text    8
LogsDirectoryMode             mode    8
ManagedOOMMemoryPressure      text    9
ManagedOOMMemoryPressureLimit text    9
ManagedOOMPreference          text    9
ManagedOOMSwap                text    9
MemoryAccounting              bool    7
MemoryDenyWriteExecute        bool    8
MemoryHigh                    memory  8
MemoryLimit                   memory  7
MemoryLow                     memory  8
MemoryMax                     memory  8
MemoryMin                     memory  8
MemorySwapMax                 memory  8
MountAPIVFS                   text    8
MountFlags                    text    7
MountImages                   text    9
NUMAMask                      text    8
NUMAPolicy                    text    8
NetworkNamespacePath          text    9
Nice                          nice    7
NoExecPaths                   text    9
NoNewPrivileges               bool    7
NonBlocking                   bool    7
NotifyAccess                  text    7
OOMPolicy                     text    9
OOMScoreAdjust                oom     7
PAMName                       text    7
PIDFile                       text    7
PassEnvironment               text    7
PermissionsStartOnly          bool    7
Personality                   text    7
PrivateDevices                bool    7
PrivateIPC                    bool    9
PrivateMounts                 bool    8
PrivateNetwork                bool    7
PrivateTmp                    bool    7
PrivateUsers                  bool    8
ProcSubset                    text    9
ProtectClock                  bool    9
ProtectControlGroups          bool    8
ProtectHome                   text    7
ProtectHostname               bool    9
ProtectKernelLogs             bool    9
ProtectKernelModules          bool    8
ProtectKernelTunables         bool    8
ProtectProc                   text    9
ProtectSystem                 text    7
ReadOnlyDirectories           text    7
ReadOnlyPaths                 text    8
ReadWriteDirectories          text    7
ReadWritePaths                text    8
RebootArgument                text    7
ReloadSignal                  signal  9
RemainAfterExit               bool    7
RemoveIPC                     bool    8
Restart                       restart 7
RestartForceExitStatus        text    7
RestartKillSignal             signal  9
RestartMode                   text    9
RestartPreventExitStatus      text    7
RestartSec                    time    7
RestrictAddressFamilies       text    7
RestrictFileSystems           text    9
RestrictNamespaces            text    8
RestrictNetworkInterfaces     text    9
RestrictRealtime              bool    8
RestrictSUIDSGID              bool    8
RootDirectory                 text    7
RootDirectoryStartOnly        bool    7
RootHash                      text    9
RootHashSignature             text    9
RootImage                     text    8
RootImageOptions              text    9
RootVerity                    text    9
RuntimeDirectory              text    7
RuntimeDirectoryMode          mode    7
RuntimeDirectoryPreserve      text    8
RuntimeMaxSec                 time    8
RuntimeRandomizedExtraSec     time    9
SELinuxContext                text    7
SecureBits                    text    7
SendSIGHUP                    bool    7
SendSIGKILL                   bool    7
SetCredential                 text    9
SetCredentialEncrypted        text    9
Slice                         text    7
SmackProcessLabel             text    7
SocketBindAllow               text    9
SocketBindDeny                text    9
Sockets                       text    7
StandardError                 text    7
StandardInput                 text    7
StandardInputData             text    8
StandardInputText             text    8
StandardOutput                text    7
StartLimitAction              text    7
StartLimitBurst               integer 7
StartLimitInterval            time    7
StartupAllowedCPUs            text    9
StartupAllowedMemoryNodes     text    9
StartupBlockIOWeight          text    7
StartupCPUShares              text    7
StartupCPUWeight              text    8
StartupIOWeight               text    8
StateDirectory                text    8
StateDirectoryMode            mode    8
SuccessExitStatus             text    7
SupplementaryGroups           text    7
SyslogFacility                text    7
SyslogIdentifier              text    7
SyslogLevel                   text    7
SyslogLevelPrefix             bool    7
SystemCallArchitectures       text    7
SystemCallErrorNumber         text    7
SystemCallFilter              text    7
SystemCallLog                 text    9
TTYColumns                    text    9
TTYPath                       text    7
TTYReset                      bool    7
TTYRows                       text    9
TTYVHangup                    bool    7
TTYVTDisallocate              bool    7
TasksAccounting               bool    7
TasksMax                      tasks   7
TemporaryFileSystem           text    8
TimeoutAbortSec               text    9
TimeoutCleanSec               time    9
TimeoutSec                    time    7
TimeoutStartFailureMode       text    9
TimeoutStartSec               time    7
TimeoutStopFailureMode        text    9
TimeoutStopSec                time    7
TimerSlackNSec                text    7
Type                          start   7
UMask                         mode    7
USBFunctionDescriptors        text    8
USBFunctionStrings            text    8
UnsetEnvironment              text    8
User                          text    7
UtmpIdentifier                text    7
UtmpMode                      text    8
WatchdogSec                   time    7
WatchdogSignal                signal  9
WorkingDirectory              text    7
"""

JOURNAL = """
Audit                bool    9
Compress             text    7
ForwardToConsole     bool    7
ForwardToKMsg        bool    7
ForwardToSyslog      bool    7
ForwardToWall        bool    7
LineMax              text    7
MaxFileSec           time    7
MaxLevelConsole      level   7
MaxLevelKMsg         level   7
MaxLevelStore        level   7
MaxLevelSyslog       level   7
MaxLevelWall         level   7
MaxRetentionSec      time    7
RateLimitBurst       integer 7
RateLimitInterval    time    7
RateLimitIntervalSec time    8
ReadKMsg             bool    8
RuntimeKeepFree      size    7
RuntimeMaxFileSize   size    7
RuntimeMaxFiles      integer 8
RuntimeMaxUse        size    7
Seal                 bool    7
SplitMode            split   7
Storage              storage 7
SyncIntervalSec      time    7
SystemKeepFree       size    7
SystemMaxFileSize    size    7
SystemMaxFiles       integer 8
SystemMaxUse         size    7
TTYPath              text    7
"""

TABLES = {"Service": SERVICE, "Journal": JOURNAL}

RELEASES = (7, 8, 9)

TIME_UNIT = (
    "us|usec|ms|msec|s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?|w|weeks?|months?|y|years?"
)

# Type of an option -> pattern of its text, and what it should be.
TYPES = {
    "bool": ("true|false|yes|no|on|off|1|0", "should be true or false."),
    "time": (
        rf"infinity|([0-9]+(\.[0-9]+)?\s*({TIME_UNIT})?\s*)+",
        "not a duration. Example: 30, 5min, infinity.",
    ),
    "integer": ("[0-9]{1,9}", "should be an integer, 0 or more."),
    "limit": (
        "(infinity|[0-9]{1,18})(:(infinity|[0-9]{1,18}))?",
        "not a limit. Example: 16384, infinity.",
    ),
    "memory": (
        r"infinity|[0-9]{1,18}[KMGTPE]?|[0-9]{1,3}%",
        "not a size. Example: 512M, 2G, infinity.",
    ),
    "nice": ("-?1?[0-9]|-20", "not a nice level: a number from -20 to 19."),
    "oom": ("-?[0-9]{1,3}|-?1000", "should be a number from -1000 to 1000."),
    "mode": ("[0-7]{3,4}", "not a mode: octal digits in quotes. Example: '0750'."),
    "percent": ("[1-9][0-9]{0,5}%", "not a percentage. Example: 50%."),
    "signal": (
        "(SIG)?[A-Z0-9]{2,9}([+-][0-9]{1,2})?|[1-9][0-9]?",
        "not a signal. Example: SIGTERM.",
    ),
    "groups": (
        r"true|false|yes|no|on|off|1|0|((cpu|cpuacct|cpuset|io|blkio|memory|devices|pids)\s*)+",
        "should be true, false, or controllers of cgroups: cpu memory.",
    ),
    "restart": (
        "no|always|on-success|on-failure|on-abnormal|on-watchdog|on-abort",
        "should be no, always, on-failure, or another word of Restart= in systemd.service(5).",
    ),
    "killing": (
        "control-group|process|mixed|none",
        "should be control-group, process, mixed or none.",
    ),
    "start": (
        "simple|exec|forking|oneshot|dbus|notify|notify-reload|idle",
        "should be simple, exec, or another word of Type= in systemd.service(5).",
    ),
    "size": (r"[0-9]{1,18}(\.[0-9]+)?[KMGTPE]?", "not a size. Example: 512M, 2G."),
    "level": (
        "emerg|alert|crit|err|warning|notice|info|debug|[0-7]",
        "should be emerg, alert, crit, err, warning, notice, info or debug.",
    ),
    "storage": (
        "volatile|persistent|auto|none",
        "should be volatile, persistent, auto or none.",
    ),
    "split": ("uid|login|none", "should be uid, login or none."),
    "tasks": ("infinity|[1-9][0-9]{0,17}|[0-9]{1,3}%", "not a number of tasks. Example: 4096."),
    "text": (".*", "should be text."),
}


def run():
    """Return the functions of this file as one object."""
    return SimpleNamespace(errors=errors, known_options=known_options)


def errors(section, path, options, release, checks):
    """
    Yield the options that systemd does not have or read: setting, value, message.

    section
        ``Service`` or ``Journal``.

    path, options
        The setting that has them, and its value.

    release
        That of EL, a number.

    checks
        The functions of common/checks.py.
    """
    if release not in RELEASES:
        return  # common/validation.py reports it.
    types, releases = known_options(section, release)
    for name, value in options.items():
        message = None
        if value is None:
            continue
        if name in types:
            message = _value_error(types[name], value, checks)
        elif name in releases:
            message = (
                f"systemd of EL {release} does not have this option, only that of {releases[name]}."
            )
        else:
            match = checks.closest(name, types)
            question = f" Did you mean {match}?" if match else ""
            message = f"no such option in the section {section} of systemd.{question}"
        if message:
            yield f"{path}:{name}", value, message


def known_options(section, release):
    """
    Return two mappings: name -> type of the options that a release of EL has, and name -> releases,
    as text, of the options that only others have.
    """
    types, releases = {}, {}
    for line in filter(None, TABLES[section].splitlines()):
        name, option_type, span = line.split()
        oldest, _, newest = span.partition("-")
        if int(oldest) <= release <= int(newest or 9):
            types[name] = option_type
        else:
            releases[name] = f"EL {newest}" if newest else f"EL {oldest} and later"
    return types, {name: text for name, text in releases.items() if name not in types}


def _value_error(option_type, value, checks):
    pattern, message = TYPES[option_type]
    for item in value if isinstance(value, list) else [value]:
        if not re.fullmatch(pattern, checks.word(item), re.IGNORECASE):
            return message
    return None
