int flap_placeholder;
