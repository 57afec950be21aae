# SPDX-License-Identifier: Apache-2.0
#
# Completion for bash.  The program knows what may come next; this only asks it.

_ovs_nwfilter() {
    local line=${COMP_LINE:0:COMP_POINT} words cur head
    read -ra words <<<"$line"
    # A space at the end begins a new word.
    [[ $line == *[[:space:]] ]] && words+=("")
    cur=${words[-1]}
    mapfile -t COMPREPLY < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
    # readline replaces only what stands behind the last of its word breaks.
    head=${cur%"${cur##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
    # A field, an option or a part of a flow goes on without a space.
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _ovs_nwfilter ovs-nwfilter
