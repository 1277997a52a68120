/* Rights given up: see sandbox.h. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0 /* no filter */
#endif

#define MEMORY_MAX (4ULL << 30)
#define FILE_MAX (1ULL << 30)
#define NAMESPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |           \
	    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

/* ---- Landlock ---- */

#define RIGHTS                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |       \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |    \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |        \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |      \
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int
allow_folder(int rules, const char *folder, struct error *e)
{
	int fd _cleanup_close_ = open(folder, O_PATH | O_CLOEXEC | O_DIRECTORY);
	struct landlock_path_beneath_attr rule = { .allowed_access = RIGHTS,
		.parent_fd = fd };

	if (fd < 0)
		return error_errno(e, errno, "%s", folder);
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0)
		return error_errno(e, errno, "fence: %s", folder);
	return 0;
}

int
sandbox_fence(const char *const *folders, size_t n, struct error *e)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE,
	};
	long made =
	    syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int rules _cleanup_close_ = (int)made;
	size_t i;

	if (made < 0)
		return error_errno(e, errno, "fence");
	for (i = 0; i < n; i++) {
		if (allow_folder(rules, folders[i], e) != 0)
			return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		return error_errno(e, errno, "fence");
	return 0;
}

/* ---- seccomp ---- */

struct program {
	VEC(struct sock_filter) code;
};

static void
add(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	struct sock_filter *f = vec_add(&p->code);

	*f = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

static void
load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct program *p, uint32_t what)
{
	add(p, BPF_RET | BPF_K, what, 0, 0);
}

#define NUMBER offsetof(struct seccomp_data, nr)
/* The low half of an argument; both architectures are little-endian. */
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n)*8)
#define DENY(code) (SECCOMP_RET_ERRNO | ((code)&SECCOMP_RET_DATA))

static void
deny(struct program *p, long number, int code)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
	answer(p, DENY((uint32_t)code));
}

/* Denied if any bit of 'bits' is set in half an argument. */
static void
deny_bits(struct program *p, long number, size_t where, uint32_t bits)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
	load(p, where);
	add(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	answer(p, DENY(EPERM));
	load(p, NUMBER);
}

/* What no process of ours ever does. */
static void
deny_dangerous(struct program *p)
{
	static const long numbers[] = { SYS_process_vm_readv,
		SYS_process_vm_writev, SYS_kcmp, SYS_mount, SYS_umount2,
		SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount,
		SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
		SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_bpf,
		SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key,
		SYS_init_module, SYS_finit_module, SYS_delete_module,
		SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon,
		SYS_swapoff, SYS_acct, SYS_quotactl, SYS_settimeofday,
		SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
		SYS_sethostname, SYS_setdomainname, SYS_userfaultfd,
		SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init,
		SYS_lookup_dcookie, SYS_vhangup, SYS_syslog };
	size_t i;

	for (i = 0; i < countof(numbers); i++)
		deny(p, numbers[i], EPERM);
	/* The leak checker looks at its own process by ptrace. */
	if (!SANITIZED)
		deny(p, SYS_ptrace, EPERM);
	/* "Not there": their callers know what to do then. */
	deny(p, SYS_io_uring_setup, ENOSYS);
	deny(p, SYS_io_uring_enter, ENOSYS);
	deny(p, SYS_io_uring_register, ENOSYS);
	deny(p, SYS_clone3, ENOSYS); /* its flags cannot be looked at */
	deny_bits(p, SYS_clone, ARGUMENT(0), NAMESPACES);
}

/* Who cannot connect and has stream sockets only calls nobody. */
static void
deny_calling_out(struct program *p)
{
	deny(p, SYS_connect, EPERM);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5);
	load(p, ARGUMENT(1));
	add(p, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 1, 0);
	answer(p, DENY(EPERM));
	load(p, NUMBER);
	/* An address to send to: that is how TCP Fast Open connects. */
	deny_bits(p, SYS_sendto, ARGUMENT(4), UINT32_MAX);
	deny_bits(p, SYS_sendto, ARGUMENT(4) + 4, UINT32_MAX);
	deny_bits(p, SYS_sendmsg, ARGUMENT(2), MSG_FASTOPEN);
	deny_bits(p, SYS_sendmmsg, ARGUMENT(3), MSG_FASTOPEN);
}

static void
build(struct program *p, enum sandbox_kind kind)
{
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	answer(p, DENY(ENOSYS));
	load(p, NUMBER);
#if defined(__x86_64__)
	/* The numbers of x32 are others. */
	add(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	answer(p, DENY(ENOSYS));
#endif
	deny_dangerous(p);
	if (kind != SANDBOX_AGENT) {
		deny(p, SYS_execve, EPERM);
		deny(p, SYS_execveat, EPERM);
	}
	if (kind == SANDBOX_EXTENSION)
		deny_calling_out(p);
	answer(p, SECCOMP_RET_ALLOW);
}

int
sandbox_filter(enum sandbox_kind kind, struct error *e)
{
	struct program p = { { NULL, 0, 0 } };
	struct sock_fprog fprog;
	int rc = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(e, errno, "no-new-privs");
	if (ARCH == 0)
		return error_set(
		    e, ENOSYS, "no filter is known for this architecture");
	build(&p, kind);
	fprog.len = (unsigned short)p.code.len;
	fprog.filter = p.code.at;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_TSYNC, &fprog) != 0)
		rc = error_errno(e, errno, "seccomp");
	vec_fini(&p.code);
	return rc;
}

/* ---- the rest ---- */

int
sandbox_drop_capabilities(struct error *e)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	int i;

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* So that no program gets them back; EINVAL past the last. */
	for (i = 0; i < 64; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (syscall(SYS_capset, &header, none) != 0)
		return error_errno(e, errno, "capset");
	return 0;
}

static void
limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit l;

	if (getrlimit(what, &l) != 0)
		return;
	if (l.rlim_max == RLIM_INFINITY || l.rlim_max > most)
		l.rlim_max = most;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(what, &l);
}

void
sandbox_limit(size_t files)
{
	/* A write past the limit is then an error like a full disk. */
	(void)signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, FILE_MAX);
	limit(RLIMIT_NOFILE, files);
	if (!SANITIZED)
		limit(RLIMIT_DATA, MEMORY_MAX);
}
