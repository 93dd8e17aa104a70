// From the loader (32-bit protected mode, no paging, eax = magic, ebx = boot information) to 64-bit Rust.
//
// Everything in .boot.* is linked at its machine address. Handed over: edi = magic, esi = boot information.

.set MULTIBOOT1_HEADER_MAGIC, 0x1badb002
.set MULTIBOOT1_FLAGS, 0x3              // modules on page boundaries, memory information
.set MULTIBOOT2_HEADER_MAGIC, 0xe85250d6
.set PVH_START_MAGIC, 0x336ec578        // what hvm_start_info begins with; used as our magic for this way in
.set XEN_ELFNOTE_PHYS32_ENTRY, 18

.set COM1, 0x3f8
.set VGA_TEXT, 0xb8000

.set EFER_MSR, 0xc0000080
.set EFER_SCE_LME_NXE, 0x901
.set CR4_PAE, 0x20
.set CR0_PG_WP_PE, 0x80010001
.set CR0_CLEAR, ~0x6000000c             // CD, NW, TS, EM

.set PAGE_PRESENT_WRITE, 0x3
.set PAGE_LARGE_PRESENT_WRITE, 0x83

// ---------------------------------------------------------------------------------------------------- headers

.section .boot.header, "a"
.balign 8
    .long MULTIBOOT1_HEADER_MAGIC
    .long MULTIBOOT1_FLAGS
    .long -(MULTIBOOT1_HEADER_MAGIC + MULTIBOOT1_FLAGS)

.balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER_MAGIC
    .long 0                             // i386, protected mode
    .long multiboot2_header_end - multiboot2_header
    .long -(MULTIBOOT2_HEADER_MAGIC + (multiboot2_header_end - multiboot2_header))
    .balign 8
    .short 1, 1                         // information request, optional
    .long 36
    .long 1, 3, 6, 14, 15, 17, 8        // command line, modules, memory map, RSDP old and new, EFI map, framebuffer
    .balign 8
    .short 4, 1                         // console flags, optional
    .long 12
    .long 2                             // text mode is understood
    .balign 8
    .short 6, 1                         // modules on page boundaries, optional
    .long 8
    .balign 8
    .short 0, 0                         // end
    .long 8
multiboot2_header_end:

// Machine address and length of the table of function names; xtask writes them when it appends the table.
.global boot_symbol_table
.balign 8
boot_symbol_table:
    .quad 0, 0

.section .note.Xen, "a", @note
.balign 4
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long boot_pvh

// ---------------------------------------------------------------------------------------------------- 32-bit code

.section .boot.text, "ax"
.code32

.global boot_pvh
boot_pvh:
    mov eax, PVH_START_MAGIC

.global boot_entry
boot_entry:
    cli
    cld
    mov esp, offset boot_stack32_end
    push eax
    push ebx
    call check_processor
    call fill_page_tables

    lgdt [boot_gdt_pointer]
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, offset boot_level4
    mov cr3, eax
    mov ecx, EFER_MSR
    rdmsr
    or eax, EFER_SCE_LME_NXE
    wrmsr
    pop esi
    pop edi
    mov eax, cr0
    and eax, CR0_CLEAR
    or eax, CR0_PG_WP_PE
    mov cr0, eax
    push 8
    mov eax, offset boot_long_mode      // (LLVM would take a push of it for a 16-bit one)
    push eax
    retf

// Stops with a message where the processor lacks what the hypervisor cannot do without. Clobbers all but esp.
check_processor:
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 0x200000                   // the ID flag can be changed where there is CPUID
    push eax
    popfd
    pushfd
    pop eax
    mov esi, offset lacks_cpuid
    cmp eax, ecx
    je refuse_processor

    mov eax, 1
    cpuid
    mov esi, offset lacks_pae
    bt edx, 6
    jnc refuse_processor
    mov esi, offset lacks_apic
    bt edx, 9
    jnc refuse_processor
    mov esi, offset lacks_sse2
    bt edx, 26
    jnc refuse_processor
    mov esi, offset lacks_cx16
    bt ecx, 13
    jnc refuse_processor

    mov eax, 0x80000000
    cpuid
    mov esi, offset lacks_long_mode
    cmp eax, 0x80000001
    jb refuse_processor
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc refuse_processor
    mov esi, offset lacks_nx
    bt edx, 20
    jnc refuse_processor
    ret

// esi = what is missing. Says so on the first serial port and on the VGA text screen, and halts for good.
refuse_processor:
    mov ebx, esi
    mov dx, COM1 + 3
    mov al, 3                           // 8 bits, should nobody have set the line
    out dx, al
    mov edi, VGA_TEXT
    mov esi, offset refusal_start
    call print_text
    mov esi, ebx
    call print_text
    mov esi, offset refusal_end
    call print_text
2:  cli
    hlt
    jmp 2b

// esi = zero-terminated text, edi = where on the VGA screen; edi moves on. The serial port keeps its speed.
print_text:
    lodsb
    test al, al
    jz 5f
    mov [edi], al
    mov byte ptr [edi + 1], 0x0f
    add edi, 2
    mov ah, al
    mov ecx, 100000                     // a port that is not there never becomes ready: do not wait for ever
    mov dx, COM1 + 5
3:  in al, dx
    test al, 0x20
    jnz 4f
    dec ecx
    jnz 3b
4:  mov al, ah
    mov dx, COM1
    out dx, al
    jmp print_text
5:  ret

// Level 4: slots 0 and 262 hold the low 4 GiB, slot 261 the image; all in 2 MiB pages.
fill_page_tables:
    mov edi, offset boot_level4
    mov eax, offset boot_level3_low + PAGE_PRESENT_WRITE
    mov [edi], eax
    mov [edi + 262 * 8], eax
    mov eax, offset boot_level3_image + PAGE_PRESENT_WRITE
    mov [edi + 261 * 8], eax

    mov edi, offset boot_level3_low
    mov eax, offset boot_level2_low + PAGE_PRESENT_WRITE
    mov ecx, 4
6:  mov [edi], eax
    add edi, 8
    add eax, 4096
    dec ecx
    jnz 6b

    mov edi, offset boot_level2_low
    mov eax, PAGE_LARGE_PRESENT_WRITE
    mov ecx, 2048
7:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    dec ecx
    jnz 7b

    mov eax, offset boot_level2_image + PAGE_PRESENT_WRITE
    mov [boot_level3_image + 320 * 8], eax  // 0xffff82d000000000 is entry 320 of its level-3 table
    mov edi, offset boot_level2_image
    mov eax, 0x200000 + PAGE_LARGE_PRESENT_WRITE
    mov ecx, 64                             // 128 MiB
8:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    dec ecx
    jnz 8b
    ret

// ---------------------------------------------------------------------------------------------------- 64-bit code

.code64
boot_long_mode:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    movabs rax, offset boot_high
    jmp rax

.section .text.entry, "ax"
boot_high:
    lea rsp, [rip + boot_stack_end]
    xor ebp, ebp
    mov edi, edi
    mov esi, esi
    push 0                              // the backtrace ends here
    push 0
    call {boot_start}
    ud2

// ---------------------------------------------------------------------------------------------------- data

.section .boot.data, "aw"
.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            // 8: 64-bit code
    .quad 0x00cf93000000ffff            // 16: data
boot_gdt_end:
    .global boot_gdt_pointer
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .quad boot_gdt

refusal_start:   .asciz "Xenolith cannot run: this processor lacks "
lacks_cpuid:     .asciz "the CPUID instruction"
lacks_pae:       .asciz "PAE (wide page-table entries)"
lacks_apic:      .asciz "a local APIC"
lacks_sse2:      .asciz "SSE2"
lacks_cx16:      .asciz "CMPXCHG16B (CX16)"
lacks_long_mode: .asciz "64-bit mode (LM)"
lacks_nx:        .asciz "no-execute pages (NX; perhaps switched off in the firmware)"
refusal_end:     .asciz "; a 64-bit processor with it is needed. Halted.\r\n"

.balign 16
boot_stack32:
    .skip 256
boot_stack32_end:

.section .bss.boot, "aw", @nobits
.balign 4096
.global boot_page_tables
boot_page_tables:
boot_level4_high:       .skip 4096
boot_level3_low_high:   .skip 4096
boot_level2_low_high:   .skip 16384
boot_level3_image_high: .skip 4096
boot_level2_image_high: .skip 4096
.balign 65536                           // as the other stacks, so that a backtrace knows its end
boot_stack_start:
    .skip 65536
.global boot_stack_end
boot_stack_end:

// The same tables by machine address, as code without paging sees them.
.global boot_level4
.set boot_level4, boot_level4_high - {image_delta}
.set boot_level3_low, boot_level3_low_high - {image_delta}
.set boot_level2_low, boot_level2_low_high - {image_delta}
.set boot_level3_image, boot_level3_image_high - {image_delta}
.set boot_level2_image, boot_level2_image_high - {image_delta}
