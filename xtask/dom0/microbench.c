/*! What virtualization makes dearer, measured from a user program inside dom0.
 *
 * Every line of the result is `row NAME MICROSECONDS`: the cheapest of seven rounds, per operation.
 * With QEMU's `-icount shift=0` a nanosecond of the guest's clock is one instruction, so the figure
 * times 1000 is an exact instruction count. The rows and their round sizes are fixed by the
 * project's targets: change them and the targets mean nothing.
 *
 *   microbench          all rows
 *   microbench ticks    the time-stamp counter, which counts from power-on: `ticks N`
 *   microbench time COMMAND...  runs the command and says how long it took: `took MICROSECONDS`
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 7, PAGE = 4096 };

static char *page;
static int to_child[2], to_parent[2];
static char block[1 << 16];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *anonymous(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    return memory;
}

/* Sees to it that the next mapping shares neither of the two lowest levels of page tables with
 * another, so that mapping and unmapping it makes and frees both, always. Mappings are laid out
 * downwards: an unused one is put in the way and cut so that the free space below it ends where the
 * range of such a pair of tables does. */
static void at_fresh_page_tables(void)
{
    const size_t range = (size_t)512 * 512 * PAGE;
    char *filler = mmap(NULL, 2 * range, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (filler == MAP_FAILED)
        fail("mmap");
    size_t excess = -(size_t)filler % range;
    if (excess)
        munmap(filler, excess);
}

static void null_syscall(long times)
{
    for (long i = 0; i < times; i++)
        syscall(SYS_getppid);
}

/* One operation is 2048 first touches of a small page. */
static void page_fault(long times)
{
    const size_t size = 2048 * PAGE;
    for (long i = 0; i < times; i++) {
        char *memory = anonymous(size);
        madvise(memory, size, MADV_NOHUGEPAGE);
        for (size_t at = 0; at < size; at += PAGE)
            memory[at] = 1;
        munmap(memory, size);
    }
}

static void mmap_munmap(long times)
{
    for (long i = 0; i < times; i++) {
        char *memory = anonymous(16 * PAGE);
        memory[0] = 1;
        munmap(memory, 16 * PAGE);
    }
}

static void protect(long times)
{
    for (long i = 0; i < times; i++)
        mprotect(page, PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void fork_exit(long times)
{
    for (long i = 0; i < times; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
}

static void fork_exec(long times)
{
    for (long i = 0; i < times; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
}

static void pipe_pingpong(long times)
{
    char byte = 0;
    for (long i = 0; i < times; i++)
        if (write(to_child[1], &byte, 1) != 1 || read(to_parent[0], &byte, 1) != 1)
            fail("pipe");
}

static void self_signal(long times)
{
    for (long i = 0; i < times; i++)
        kill(getpid(), SIGUSR1);
}

static void gettime(long times)
{
    struct timespec t;
    for (long i = 0; i < times; i++)
        clock_gettime(CLOCK_MONOTONIC, &t);
}

static void sleep_100(long times)
{
    for (long i = 0; i < times; i++)
        usleep(100);
}

static void pipe_64k(long times)
{
    for (long i = 0; i < times; i++)
        if (write(to_child[1], block, sizeof block) != (ssize_t)sizeof block)
            fail("pipe");
}

static void million_adds(long times)
{
    volatile unsigned long sum = 0;
    for (long i = 0; i < times; i++)
        for (int add = 0; add < 1000000; add++)
            sum += add;
}

static void row(const char *name, void (*operation)(long), long times)
{
    double least = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        operation(times);
        double each = (seconds() - start) / (double)times;
        if (each < least)
            least = each;
    }
    printf("row %s %.3f\n", name, least * 1e6);
    fflush(stdout);
}

/* A child that answers every byte with a byte, or only swallows; it ends when our end closes. */
static pid_t start_reader(int answers)
{
    if (pipe(to_child) || pipe(to_parent))
        fail("pipe");
    pid_t child = fork();
    if (child != 0)
        return child;
    close(to_child[1]);
    for (;;) {
        ssize_t got = read(to_child[0], block, answers ? 1 : sizeof block);
        if (got <= 0 || (answers && write(to_parent[1], block, 1) != 1))
            _exit(0);
    }
}

static void stop_reader(pid_t child)
{
    close(to_child[1]);
    waitpid(child, NULL, 0);
}

static void ignore(int number)
{
    (void)number;
}

static int timed(char **command)
{
    double start = seconds();
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        execvp(command[0], command);
        fail(command[0]);
    }
    int status;
    if (waitpid(child, &status, 0) != child)
        fail("waitpid");
    printf("took %.0f\n", (seconds() - start) * 1e6);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int count, char **words)
{
    if (count > 1 && strcmp(words[1], "ticks") == 0) {
        printf("ticks %llu\n", (unsigned long long)__builtin_ia32_rdtsc());
        return 0;
    }
    if (count > 2 && strcmp(words[1], "time") == 0)
        return timed(words + 2);
    row("null_syscall", null_syscall, 8000);
    row("page_fault", page_fault, 1);
    at_fresh_page_tables();
    row("mmap_munmap", mmap_munmap, 500);
    page = anonymous(PAGE);
    page[0] = 1;
    row("mprotect", protect, 500);
    row("fork_exit", fork_exit, 40);
    row("fork_exec", fork_exec, 20);
    pid_t child = start_reader(1);
    row("pipe_pingpong", pipe_pingpong, 500);
    stop_reader(child);
    signal(SIGUSR1, ignore);
    row("signal", self_signal, 1000);
    row("clock_gettime", gettime, 8000);
    row("usleep_100", sleep_100, 50);
    child = start_reader(0);
    row("pipe_64k", pipe_64k, 50);
    stop_reader(child);
    row("cpu_1M_adds", million_adds, 5);
    return 0;
}
