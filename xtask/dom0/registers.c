//! Are a program's registers its own? `registers SECONDS` (or `forever`) fills every vector
//! register, the x87 stack, the control words, the base of GS and a debug register with values that
//! depend on this process alone, spins long enough to be preempted, and compares. Run at once in
//! several domains on one processor it finds a hypervisor that mixes up their registers.
//!
//! Says `registers: ROUNDS rounds, WRONG wrong`, every second when it runs for ever, and ends with
//! 1 if anything was wrong.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/// What one round holds in registers: sixteen of 32 bytes, and eight numbers of the x87 stack.
struct values {
    uint8_t vectors[16][32] __attribute__((aligned(32)));
    double stack[8];
};

static uint64_t state;
static int has_avx;
/// The debug register of this process watches writes to this.
static volatile uint64_t watched;
static volatile sig_atomic_t traps;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(struct values *values) {
    for (size_t i = 0; i < sizeof values->vectors / 8; i++) {
        uint64_t word = next();
        memcpy((uint8_t *)values->vectors + i * 8, &word, 8);
    }
    for (int i = 0; i < 8; i++) {
        values->stack[i] = (double)(next() >> 20);
    }
}

#define EACH_REGISTER(DO) \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD_AVX(N) "vmovdqa " #N "*32(%[from]), %%ymm" #N "\n"
#define STORE_AVX(N) "vmovdqa %%ymm" #N ", " #N "*32(%[to])\n"
#define LOAD_SSE(N) "movdqa " #N "*32(%[from]), %%xmm" #N "\n"
#define STORE_SSE(N) "movdqa %%xmm" #N ", " #N "*32(%[to])\n"
#define CLOBBERED \
    "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
/// A loop that touches no register of interest.
#define SPIN "1: dec %[count]\njnz 1b\n"

/// Holds the vectors in registers for `count` turns of a loop and takes them out again.
static void hold_vectors(struct values const *from, struct values *to, uint64_t count) {
    if (has_avx) {
        __asm__ volatile(EACH_REGISTER(LOAD_AVX) SPIN EACH_REGISTER(STORE_AVX) "vzeroupper\n"
                         : [count] "+r"(count)
                         : [from] "r"(from->vectors), [to] "r"(to->vectors)
                         : CLOBBERED);
    } else {
        __asm__ volatile(EACH_REGISTER(LOAD_SSE) SPIN EACH_REGISTER(STORE_SSE)
                         : [count] "+r"(count)
                         : [from] "r"(from->vectors), [to] "r"(to->vectors)
                         : CLOBBERED);
    }
}

#define LOAD_X87(N) "fldl " #N "*8(%[from])\n"
#define STORE_X87(N) "fstpl " #N "*8(%[to])\n"

static void hold_stack(double const *from, double *to, uint64_t count) {
    __asm__ volatile("fninit\n" LOAD_X87(0) LOAD_X87(1) LOAD_X87(2) LOAD_X87(3) LOAD_X87(4)
                         LOAD_X87(5) LOAD_X87(6) LOAD_X87(7) SPIN STORE_X87(7) STORE_X87(6)
                             STORE_X87(5) STORE_X87(4) STORE_X87(3) STORE_X87(2) STORE_X87(1)
                                 STORE_X87(0)
                     : [count] "+r"(count)
                     : [from] "r"(from), [to] "r"(to)
                     : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                       "st(7)");
}

/// Keeps a rounding mode in MXCSR and an address in GS's base over a spin.
static int hold_controls(uint64_t count) {
    uint32_t rounding = 0x1f80 | (uint32_t)(next() & 3) << 13, found;
    uint64_t base = next() & 0x7ffffffff000, found_base = 0;
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
    __asm__ volatile("ldmxcsr %1\n" SPIN "stmxcsr %0\n"
                     : "=m"(found), "+m"(rounding), [count] "+r"(count)
                     :
                     : "cc");
    syscall(SYS_arch_prctl, ARCH_GET_GS, &found_base);
    return (found != rounding) + (found_base != base);
}

/// One round; gives how many registers had changed.
static int round_of(uint64_t count) {
    struct values want, found;
    int wrong = 0;
    memset(&found, 0, sizeof found);
    fill(&want);
    hold_vectors(&want, &found, count);
    hold_stack(want.stack, found.stack, count);
    size_t width = has_avx ? 32 : 16;
    for (int i = 0; i < 16; i++) {
        wrong += memcmp(want.vectors[i], found.vectors[i], width) != 0;
    }
    for (int i = 0; i < 8; i++) {
        wrong += want.stack[i] != found.stack[i];
    }
    wrong += hold_controls(count);
    int before = traps;
    watched = count;
    wrong += traps != before + 1;
    return wrong;
}

static void trapped(int signal) {
    (void)signal;
    traps = traps + 1;
}

/// Lets the parent set a debug register of this process, which only another can.
static int be_watched(void) {
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTRAP, trapped);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) {
            exit(2);
        }
        raise(SIGSTOP);
        return 0;
    }
    int status;
    waitpid(child, &status, 0);
    // A write of eight bytes through debug register 0: length 2, kind 1, enabled locally.
    size_t registers = offsetof(struct user, u_debugreg);
    ptrace(PTRACE_POKEUSER, child, registers, &watched);
    if (ptrace(PTRACE_POKEUSER, child, registers + 7 * 8, 2 << 18 | 1 << 16 | 1) != 0) {
        perror("registers: no debug register");
        exit(2);
    }
    ptrace(PTRACE_DETACH, child, 0, 0);
    waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

int main(int count, char **arguments) {
    int forever = count < 2 || strcmp(arguments[1], "forever") == 0;
    time_t seconds = forever ? 0 : atoi(arguments[1]);
    be_watched();
    state = (uint64_t)getpid() * 0x9e3779b97f4a7c15 ^ (uint64_t)time(NULL) << 20 ^ (uintptr_t)&seconds;
    __builtin_cpu_init();
    has_avx = __builtin_cpu_supports("avx") != 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    time_t said = 0;
    unsigned long rounds = 0, wrong = 0;
    for (;;) {
        wrong += (unsigned long)round_of(20000);
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        time_t passed = now.tv_sec - start.tv_sec;
        if (!forever && passed >= seconds) {
            break;
        }
        if (forever && passed > said) {
            said = passed;
            printf("registers: %lu rounds, %lu wrong\n", rounds, wrong);
            fflush(stdout);
        }
    }
    printf("registers: %lu rounds, %lu wrong%s\n", rounds, wrong, has_avx ? "" : " (no AVX)");
    return wrong != 0;
}
