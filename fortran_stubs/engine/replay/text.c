/* text.c: reads small text files, line by line and token by token, whatever is in them. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define MOST_BYTES (1L << 30) /* of a text: beyond that it is something else */

static int length_of(FILE *file, size_t *length) {
  long end;
  if (fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0 || end > MOST_BYTES) return 0;
  *length = (size_t)end;
  return fseek(file, 0, SEEK_SET) == 0;
}

static int read_all(FILE *file, rp_text *text) {
  if (!length_of(file, &text->length)) return 0;
  text->bytes = malloc(text->length + 1);
  if (!text->bytes) return 0;
  if (fread(text->bytes, 1, text->length, file) != text->length) return 0;
  text->bytes[text->length] = '\0';
  return memchr(text->bytes, '\0', text->length) == NULL;
}

int rp_read_text(const char *path, rp_text *text, tradewind_status *status) {
  FILE *file = fopen(path, "rb");
  if (!file) return tw_fail(status, TRADEWIND_CONFIG, "", "", "%s: %s", path, strerror(errno));
  int whole = read_all(file, text);
  fclose(file);
  if (whole) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_DATA, "", "", "%s: is not a text that can be read (a folder, or binary)", path);
}

/* The end of a token that begins at `from`: quotes hold blanks together where tokens are apart by blanks. */
static char *cut(char *from, char apart) {
  if (apart != ' ' || *from != '"') return from + strcspn(from, apart == ' ' ? " \t" : "\t");
  char *end = strchr(from + 1, '"');
  return end ? end : from + strlen(from);
}

static char *skip(char *from, char apart) { return apart == ' ' ? from + strspn(from, " \t") : from; }

static void split(char *from, rp_line *line, char apart) {
  line->count = 0;
  for (from = skip(from, apart); line->count < RP_TOKENS; from = skip(from, apart)) {
    if (apart == ' ' && (*from == '\0' || *from == '#')) return;
    char *end = cut(from, apart);
    int more = *end != '\0';
    *end = '\0';
    line->token[line->count++] = apart == ' ' && *from == '"' ? from + 1 : from;
    if (!more) return;
    from = end + 1;
  }
}

int rp_next_line(rp_text *text, rp_line *line, char apart) {
  if (text->at >= text->length) return 0;
  char *from = text->bytes + text->at;
  size_t length = strcspn(from, "\n");
  text->at += length + 1;
  text->line += 1;
  if (length > 0 && from[length - 1] == '\r') from[length - 1] = '\0';
  from[length] = '\0';
  split(from, line, apart);
  return 1;
}

int rp_parse_whole(const char *token, int64_t *value) {
  char *end = NULL;
  errno = 0;
  long long found = strtoll(token, &end, 10);
  *value = found;
  return end != token && *end == '\0' && errno == 0;
}

int rp_parse_bits(const char *token, uint64_t *value) {
  if (strlen(token) != 16 || strspn(token, "0123456789abcdef") != 16) return 0;
  *value = strtoull(token, NULL, 16);
  return 1;
}

int rp_parse_real(const char *token, double *value) {
  uint64_t bits;
  if (!rp_parse_bits(token, &bits)) return 0;
  memcpy(value, &bits, sizeof *value);
  return 1;
}

static int parse_extent(const char *token, size_t length, int64_t *extent) {
  char word[24];
  if (length == 1 && *token == '*') {
    *extent = RP_OPEN;
    return 1;
  }
  if (length == 0 || length >= sizeof word) return 0;
  memcpy(word, token, length);
  word[length] = '\0';
  /* the bound keeps products of seven extents and eight bytes apart from overflow in rp_count */
  return rp_parse_whole(word, extent) && *extent >= 0 && *extent <= INT32_MAX;
}

int rp_parse_shape(const char *token, rp_shape *shape) {
  memset(shape, 0, sizeof *shape);
  if (strcmp(token, "-") == 0) return 1;
  for (;;) {
    size_t length = strcspn(token, ",");
    if (shape->rank == TRADEWIND_MAX_RANK) return 0;
    if (!parse_extent(token, length, &shape->extent[shape->rank])) return 0;
    if (shape->extent[shape->rank] == RP_OPEN && shape->rank > 0) return 0;
    shape->rank += 1;
    if (token[length] == '\0') return rp_count(shape) >= 0;
    token += length + 1;
  }
}

static int word_number(const char *token, const char *const *words, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    if (strcmp(token, words[i]) == 0) return i + 1;
  return 0;
}

int rp_parse_kind(const char *token, int32_t *kind) {
  static const char *const words[] = {"real32", "real64", "int32", "int64"};
  return (*kind = word_number(token, words, 4)) != 0;
}

int rp_parse_role(const char *token, int32_t *role) {
  static const char *const words[] = {"import", "export", "state", "parameter"};
  return (*role = word_number(token, words, 4)) != 0;
}

void rp_unescape(char *token) {
  char *to = token;
  for (; *token; token++) {
    if (*token == '\\' && token[1]) token++, *to++ = *token == 'n' ? '\n' : *token == 't' ? '\t' : *token;
    else *to++ = *token;
  }
  *to = '\0';
}

int rp_copy_name(char *to, size_t size, const char *from) {
  size_t length = strlen(from);
  if (length == 0 || length >= size) return 0;
  memcpy(to, from, length + 1);
  return 1;
}

void *rp_grown(void *array, size_t count, size_t size) {
  /* room is doubled at powers of two, so that nothing but the count need be kept */
  if (count & (count - 1)) return array;
  return realloc(array, (count ? 2 * count : 1) * size);
}
