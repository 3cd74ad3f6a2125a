int flap_placeholder2;
