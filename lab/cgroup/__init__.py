"""Control groups: memory limits, usage, and the kernel's own evidence of an OOM kill.

One interface (`MemoryGroup`) for cgroup v1 and v2. `lab.cgroup.host` reads which of them this
machine has.
"""
