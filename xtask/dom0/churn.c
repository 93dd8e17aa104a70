/*! Keeps every processor of dom0 busy with what exercises a para-virtualized kernel most, and checks
 * what it can: `churn SECONDS` ends with 0 if nothing was wrong.
 *
 * One worker process a processor, each with two threads that compute on floating-point registers
 * while the worker forks, runs programs, maps and unmaps, changes protections, takes the faults
 * that follow, and signals itself and its neighbour. Memory is filled with a pattern that depends
 * on who wrote it and read back after a child may have copied it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, THREADS = 2 };

static volatile sig_atomic_t signals_taken;
static volatile sig_atomic_t faults_taken;
static volatile int stop;
static char *faulting_page;
static time_t end;

static void wrong(const char *what, long detail)
{
    printf("churn: %s (%ld, errno %d) in process %d\n", what, detail, errno, (int)getpid());
    fflush(stdout);
    _exit(1);
}

static void on_signal(int number)
{
    (void)number;
    signals_taken++;
}

/* A write to the page that was made read-only: allow it and go on. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if ((char *)info->si_addr != faulting_page)
        _exit(3);
    faults_taken++;
    mprotect(faulting_page, PAGE, PROT_READ | PROT_WRITE);
}

static uint32_t pattern(uint32_t seed, uint32_t at)
{
    return (seed * 2654435761u) ^ (at * 40503u);
}

static void fill(uint32_t *words, uint32_t seed)
{
    for (uint32_t i = 0; i < PAGES * PAGE / 4; i += 16)
        words[i] = pattern(seed, i);
}

static void verify(const uint32_t *words, uint32_t seed)
{
    for (uint32_t i = 0; i < PAGES * PAGE / 4; i += 16)
        if (words[i] != pattern(seed, i))
            wrong("memory changed under its owner at word", i);
}

/* A sum that is exact in floating point, so that any register mixed up shows. */
static void *compute(void *argument)
{
    double step = (double)(long)argument;
    while (!stop) {
        double sum = 0, twice = 0;
        for (int i = 0; i < 100000; i++) {
            sum += step;
            twice += 2 * step;
        }
        if (sum != 100000 * step || twice != 2 * sum)
            wrong("a floating-point register changed", (long)sum);
        sched_yield();
    }
    return NULL;
}

static int status_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            wrong("waitpid", child);
    return status;
}

static void forked_copy(uint32_t *words, uint32_t seed)
{
    pid_t child = fork();
    if (child < 0)
        wrong("fork", 0);
    if (child == 0) {
        verify(words, seed);
        fill(words, seed + 1);
        verify(words, seed + 1);
        _exit(0);
    }
    int status = status_of(child);
    if (status != 0)
        wrong("a forked child saw the wrong memory, status", status);
    verify(words, seed);
}

static void run_program(void)
{
    pid_t child = fork();
    if (child < 0)
        wrong("fork", 0);
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status = status_of(child);
    if (status != 0)
        wrong("a program ended with status", status);
}

static void protect_and_fault(void)
{
    sig_atomic_t before = faults_taken;
    if (mprotect(faulting_page, PAGE, PROT_READ))
        wrong("mprotect", 0);
    *(volatile char *)faulting_page = 1;
    if (faults_taken != before + 1)
        wrong("faults taken instead of one", faults_taken - before);
}

static void signal_self_and_neighbour(pid_t neighbour)
{
    sig_atomic_t before = signals_taken;
    raise(SIGUSR1);
    if (signals_taken == before)
        wrong("a signal to oneself was lost", before);
    if (neighbour > 0)
        kill(neighbour, SIGUSR1);
}

static void worker(long number, pid_t neighbour)
{
    struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &fault, NULL);
    faulting_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, compute, (void *)(number * THREADS + i + 1)))
            wrong("pthread_create", i);
    uint32_t seed = (uint32_t)number << 20;
    for (; time(NULL) < end; seed += 2) {
        uint32_t *words = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (words == MAP_FAILED)
            wrong("mmap", 0);
        fill(words, seed);
        forked_copy(words, seed);
        run_program();
        protect_and_fault();
        signal_self_and_neighbour(neighbour);
        words = mremap(words, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
        if (words == MAP_FAILED)
            wrong("mremap", 0);
        verify(words, seed);
        munmap(words, 2 * PAGES * PAGE);
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("churn: worker %ld did %u rounds\n", number, (seed & 0xfffff) / 2);
    fflush(stdout);
    _exit(0);
}

int main(int count, char **words)
{
    end = time(NULL) + (count > 1 ? atoi(words[1]) : 10);
    struct sigaction counted = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &counted, NULL);
    long workers = sysconf(_SC_NPROCESSORS_ONLN);
    pid_t neighbour = 0;
    for (long number = 0; number < workers; number++) {
        pid_t child = fork();
        if (child < 0)
            wrong("fork", number);
        if (child == 0)
            worker(number, neighbour);
        neighbour = child;
    }
    int bad = 0;
    for (long number = 0; number < workers; number++) {
        int status;
        pid_t child;
        while ((child = wait(&status)) < 0 && errno == EINTR)
            ;
        if (child < 0 || status != 0) {
            printf("churn: worker process %d ended with status %x\n", (int)child, status);
            bad = 1;
        }
    }
    return bad;
}
