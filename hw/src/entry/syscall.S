# System calls. See syscall.rs for the invariants. At every entry: rsp = this processor's stack top,
# rcx = guest rip, r11 = guest rflags, the guest's rsp in PerCpu::scratch_rsp, interrupts off.

# A full frame's upper part for who came by `syscall`, with a code selector; the general registers are still the guest's.
.macro PUSH_SYSCALL_FRAME code
    push 0xe02b
    push [rsp + 8 - {below} + {scratch}]
    push r11
    push \code
    push rcx
    push 0
.endm

.pushsection .text.entry, "ax", @progbits

.balign 64
.globl syscall_entry
syscall_entry:
    push rax
    push rdx
    mov rax, [rsp + 16 - {below} + {vcpu}]
    test byte ptr [rax + {mode}], {not_bounced}
    jnz 20f
    mov rdx, [rax + {info}]
    cmp byte ptr [rdx + 1], 0
    jne 30f

    # A user program calls its kernel: switch tables and the gs base, push a bounce frame.
    push rbx
    mov rbx, [rax + {kernel_cr3}]
    mov cr3, rbx
    swapgs
    or byte ptr [rax + {mode}], {kernel}
    mov bl, [rax + {syscall_mask}]
    mov [rdx + 1], bl
    mov rbx, [rax + {kernel_sp}]
    mov rdx, [rsp + 24 - {below} + {scratch}]
    GUEST_ACCESS_BEGIN
    FAULTS_TO syscall_bounce_faulted
    mov qword ptr [rbx - 8], 0xe02b
    FAULTS_TO syscall_bounce_faulted
    mov [rbx - 16], rdx
    FAULTS_TO syscall_bounce_faulted
    mov [rbx - 24], r11
    FAULTS_TO syscall_bounce_faulted
    mov qword ptr [rbx - 32], 0xe033
    FAULTS_TO syscall_bounce_faulted
    mov [rbx - 40], rcx
    FAULTS_TO syscall_bounce_faulted
    mov [rbx - 48], r11
    FAULTS_TO syscall_bounce_faulted
    mov [rbx - 56], rcx
    GUEST_ACCESS_END
    lea rdx, [rbx - 56]
    mov rcx, [rax + {syscall_entry}]
    and r11d, 0x200ad5              # what `guest_rflags` keeps, less TF, NT, RF and AC
    mov [rsp + 24 - {below} + {scratch}], rdx
    pop rbx
    pop rdx
    pop rax
    mov rsp, [rsp - {below} + {scratch}]
    sysretq

20: # From the guest kernel: a hypercall. (A user program whose kernel took no syscall callback: slow path.)
    test byte ptr [rax + {mode}], {kernel}
    jz 30f
    pop rdx
    cmp dword ptr [rsp], 23
    je iret_fast
21:
    pop rax
    PUSH_SYSCALL_FRAME 0xe033
    mov dword ptr [rsp + 4], 0x100
    PUSH_REGISTERS
    mov rdi, rsp
    SERVE {on_hypercall}

30: # Rare: let the slow path do the bounce from a full frame.
    pop rdx
    pop rax
    PUSH_SYSCALL_FRAME 0xe033
    mov dword ptr [rsp + 4], 0x100
    lea r11, [rip + {handlers} + {on_user_syscall}]
    jmp slow_call

# A 32-bit user program's `syscall`.
.globl syscall32_entry
syscall32_entry:
    PUSH_SYSCALL_FRAME 0xe023
    lea r11, [rip + {handlers} + {on_user_syscall32}]
    # fall through

# Pushes the general registers and calls the handler r11 points at; r11's own value is in the frame's rflags.
slow_call:
    PUSH_REGISTERS [rsp+88]
    mov rdi, rsp
    sub rsp, 8
    call [r11]
    add rsp, 8
    jmp exit_to_guest

# The `iret` hypercall. On the stack: the guest's rax (23). rax, rcx, r11 are dead.
# The fast path is every return with events open, to a user program or to the kernel itself, but where `iret` sets the
# virtual IOPL. Each word of the frame is read once.
.balign 64
iret_fast:
    mov rax, [rsp + 8 - {below} + {vcpu}]
    mov rcx, [rsp + 8 - {below} + {scratch}]
    movabs r11, 0xffff880000000000
    cmp rcx, r11
    jb 40f
    test dword ptr [rax + {mode}], {slow_iret}
    jnz 40f
    mov r11, [rax + {info}]
    cmp byte ptr [r11], 0
    jne 40f
    GUEST_ACCESS_BEGIN
    FAULTS_TO 41f
    push [rcx + 64]
    or byte ptr [rsp], 3
    FAULTS_TO 42f
    push [rcx + 56]
    FAULTS_TO 43f
    mov r11d, [rcx + 48]
    test r11d, 0x200                # masks events
    jz 43f
    and r11d, 0x254fd5              # `guest_rflags`, whose IF was just seen
    or r11d, 2
    push r11
    FAULTS_TO 48f
    push [rcx + 40]
    FAULTS_TO 44f
    mov r11d, [rcx + 24]
    mov [rsp + 4], r11d             # the call's flags, above the code selector, where `iretq` does not look
    FAULTS_TO 44f
    push [rcx + 32]
    FAULTS_TO 45f
    push [rcx]
    FAULTS_TO 46f
    push [rcx + 8]
    FAULTS_TO 47f
    mov rcx, [rcx + 16]
    GUEST_ACCESS_END
    mov r11, [rax + {info}]
    mov byte ptr [r11 + 1], 0
    mov r11d, [rsp + 24]
    not r11d
    test r11d, 3
    jnz 53f
    swapgs
    and byte ptr [rax + {mode}], {user_mask}
    mov r11, [rax + {user_cr3}]
    mov cr3, r11
49: pop r11
    # `sysret` where it restores the same: flat selectors, rcx = rip, r11 = rflags, rip in the lower half.
    cmp word ptr [rsp + 16], 0xe033
    jne 50f
    cmp rcx, [rsp + 8]
    jne 50f
    cmp r11, [rsp + 24]
    jne 50f
    cmp word ptr [rsp + 40], 0xe02b
    jne 50f
    cmp dword ptr [rsp + 12], 0x7fff
    jae 50f
    pop rax
    mov rsp, [rsp + 24]
    sysretq
50: # What differs may be what the guest did not care for: after a system call `sysret` sets both (VGCF_in_syscall).
    test dword ptr [rsp + 20], 0x100
    jz 52f
    mov rcx, [rsp + 8]
    mov r11, [rsp + 24]
52:
    pop rax
    .pushsection .ex_table, "a", @progbits
    .quad 51f, fast_iret_faulted
    .popsection
51: iretq
53: # To the kernel itself, whose selector asks for ring 0.
    or byte ptr [rsp + 24], 3
    jmp 49b

47: pop rcx
46: pop rcx
45: pop rcx
44: pop rcx
48: pop rcx
43: pop rcx
42: pop rcx
41: GUEST_ACCESS_END
40: # Everything else about `iret` is decided in Rust, from a full frame. rcx and r11 must be those of the
    # entry; the frame's rip and rflags are not used by `iret`, so their loss costs nothing.
    xor ecx, ecx
    mov r11d, 0x202
    jmp 21b

# A fault while pushing the bounce frame: the guest kernel's stack is unusable. On the stack: rbx, rdx, rax.
syscall_bounce_faulted:
    GUEST_ACCESS_END
    pop rbx
    pop rdx
    pop rax
    push 0xe02b
    push rbx
    push r11
    push 0xe033
    push rcx
    push 0
    lea r11, [rip + {handlers} + {on_bounce_fault}]
    jmp slow_call

# The way out to a guest from any full frame, rsp at it. First what this processor owes, then events.
.balign 64
.globl exit_to_guest
exit_to_guest:
    cmp dword ptr [rsp + 168 - {below} + {work}], 0
    jne 60f
    mov rax, [rsp + 168 - {below} + {vcpu}]
    mov rax, [rax + {info}]
    cmp byte ptr [rax], 0
    jne 61f
62:
    test dword ptr [rsp + 124], 0x100
    jz 63f
    mov rax, [rsp + 128]
    sar rax, 47
    inc rax
    cmp rax, 1
    ja 63f
    POP_SAVED_REGISTERS
    add rsp, 8
    pop r10
    pop r9
    pop r8
    pop rax
    add rsp, 8
    pop rdx
    pop rsi
    pop rdi
    mov rcx, [rsp + 8]
    mov r11, [rsp + 24]
    mov rsp, [rsp + 32]
    sysretq
63:
    POP_REGISTERS
    add rsp, 8
    .pushsection .ex_table, "a", @progbits
    .quad 64f, iret_faulted
    .popsection
64: iretq

60: # Work for this processor: timers, scheduling, shoot-downs of another vCPU's making.
    mov rdi, rsp
    SERVE {on_work}
61: # An event is pending; delivered only where the guest has them open.
    cmp byte ptr [rax + 1], 0
    jne 62b
    mov rdi, rsp
    # Leaving begins from the start: the delivery may have ended the domain.
    SERVE {on_events}

# The same from the fast path of `iret`, whose frame lies one word below a full frame's place, for the guest's rax
# stood above it: it moves up by that word, last word first. What stands above the selectors goes.
fast_iret_faulted:
    push rax
    mov dword ptr [rsp + 20], 0
    movzx eax, word ptr [rsp + 40]
    mov [rsp + 48], rax
    mov rax, [rsp + 32]
    mov [rsp + 40], rax
    mov rax, [rsp + 24]
    mov [rsp + 32], rax
    mov rax, [rsp + 16]
    mov [rsp + 24], rax
    mov rax, [rsp + 8]
    mov [rsp + 16], rax
    pop rax
    add rsp, 8
    # fall through

# `iretq` to the guest faulted: the frame it would have used still lies at rsp, and which fault it was stands
# in `PerCpu::fault`. The general registers are the guest's.
iret_faulted:
    push 0
    PUSH_REGISTERS
    mov rdi, rsp
    SERVE {on_iret_fault}

.popsection
