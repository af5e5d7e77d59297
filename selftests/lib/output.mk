# SPDX-License-Identifier: GPL-2.0
#
# Included at the end by whatever builds into $(OUTPUT).

$(OUTPUT):
	mkdir -p $@

clean:
	rm -rf $(OUTPUT)

.PHONY: all clean
.DELETE_ON_ERROR:
