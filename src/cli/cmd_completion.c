/* memelens completion: shell completion, written from the same tables as --help. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static void print_bash(void)
{
    /* compgen expands its words, and a model of one's own is called as its folder is. Files and folders are left to the shell itself, which knows what to do with
     * blanks and quotes in their names. Of --library=DIR bash makes three words. */
    puts("# bash completion for memelens; put it in ~/.local/share/bash-completion/completions/memelens\n"
         "_memelens_models() { memelens models 2>/dev/null | cut -d' ' -f1 | grep -x '[A-Za-z0-9._@/+-]*'; }\n"
         "_memelens() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= at options=\n"
         "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
         "        case ${COMP_WORDS[at]} in --library) ((at++)); [[ ${COMP_WORDS[at]} != = ]] || ((at++)) ;; -*) ;; *) command=${COMP_WORDS[at]}; break ;; esac\n"
         "    done\n"
         "    [[ $word != = ]] || word=\n"
         "    [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD-2]}\n"
         "    COMPREPLY=()\n"
         "    case $before in\n"
         "        --model|-m) COMPREPLY=($(compgen -W \"$(_memelens_models)\" -- \"$word\")); return ;;\n"
         "        --precision) COMPREPLY=($(compgen -W 'auto f32 bf16 int8' -- \"$word\")); return ;;\n"
         "        --library|--in) compopt -o dirnames 2>/dev/null; return ;;\n"
         "    esac\n"
         "    case $command in");
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("        %s) options='", cli_commands[i]->name);
        for (size_t j = 0; j < cli_commands[i]->option_count; j++)
            printf("--%s ", cli_commands[i]->options[j].name);
        puts("' ;;");
    }
    fputs("        '') COMPREPLY=($(compgen -W '", stdout);
    for (size_t i = 0; i < cli_command_count; i++)
        printf("%s ", cli_commands[i]->name);
    fputs("' -- \"$word\"))", stdout);
    fputs(" ;;\n    esac\n    options+='", stdout);
    for (size_t i = 0; i < cli_common_count; i++)
        printf("--%s ", cli_common_options[i].name);
    puts("'\n"
         "    case $command:$word in\n"
         "        *:-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "        pull:*) COMPREPLY=($(compgen -W \"$(_memelens_models)\" -- \"$word\")) ;;\n"
         "        completion:*) COMPREPLY=($(compgen -W 'bash zsh' -- \"$word\")) ;;\n"
         "        ?*:*) compopt -o default 2>/dev/null ;;\n"
         "    esac\n"
         "}\n"
         "complete -o filenames -F _memelens memelens");
}

/* In zsh's _arguments a colon, a bracket and a quote mean something. */
static void print_zsh_text(const char *text)
{
    for (; *text; text++) {
        if (strchr(":[]", *text))
            putchar('\\');
        if (*text == '\'')
            fputs("'\\'", stdout);
        putchar(*text);
    }
}

static void print_zsh_options(const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *option = &options[i];
        const char *repeat = option->kind == CLI_LIST ? "*" : "";
        const char *action = "";
        if (option->argument)
            action = strcmp(option->argument, "DIR") == 0        ? ":folder:_files -/"
                     : strcmp(option->name, "model") == 0         ? ":model:_memelens_models"
                     : strcmp(option->name, "precision") == 0     ? ":precision:(auto f32 bf16 int8)"
                                                                  : ":value: ";
        for (int form = 0; form < (option->letter ? 2 : 1); form++) {
            char letter[3] = {'-', option->letter, '\0'};
            printf(" \\\n                '%s%s%s[", repeat, form ? letter : "--", form ? "" : option->name);
            print_zsh_text(option->help);
            printf("]%s'", action);
        }
    }
}

static void print_zsh(void)
{
    puts("#compdef memelens\n"
         "# zsh completion for memelens; put it in a folder of $fpath as _memelens\n"
         "_memelens_models() { compadd -- ${(f)\"$(memelens models 2>/dev/null | cut -d' ' -f1)\"} }\n"
         "_memelens() {\n"
         "    local -a commands\n"
         "    commands=(");
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("        '%s:", cli_commands[i]->name);
        print_zsh_text(cli_commands[i]->summary);
        puts("'");
    }
    puts("    )\n"
         "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
         "    local command=$words[2]\n"
         "    shift words; (( CURRENT-- ))\n"
         "    case $command in");
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i]->name;
        printf("        %s)\n            _arguments", name);
        print_zsh_options(cli_commands[i]->options, cli_commands[i]->option_count);
        print_zsh_options(cli_common_options, cli_common_count);
        printf(" \\\n                '%s' ;;\n", strcmp(name, "pull") == 0         ? "*:model:_memelens_models"
                                                  : strcmp(name, "completion") == 0 ? "*:shell:(bash zsh)"
                                                                                    : "*:file:_files");
    }
    puts("    esac\n"
         "}\n"
         "_memelens \"$@\"");
}

static int run(const cli_list *operands)
{
    const char *shell = operands->count == 1 ? operands->items[0] : "";
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else
        return cli_fail("completion: for which shell? bash or zsh");
    return CLI_DONE;
}

const cli_command cli_completion = {
    .name = "completion",
    .summary = "print shell completion",
    .usage = "bash|zsh",
    .run = run,
};
